"""What can happen. One table maps a usage log's kind to the event that notifications call by another name."""

from collections.abc import Mapping
from dataclasses import dataclass, field

PUSH, PULL, DELETE_TAG, CREATE_REPOSITORY, MOVE_TAG = "push_repo", "pull_repo", "delete_tag", "create_repo", "move_tag"
DELETE_MANIFEST = "delete_manifest"
# A tag whose time was up: Quay records none.
TAG_EXPIRED = "tag_expired"

# Log kind -> the event that notifications subscribe to.
NOTIFIED = {PUSH: "repo_push"}


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `at` is in seconds since the epoch; `repository_id` is None where none is concerned."""

    id: str
    at: float
    kind: str
    namespace_id: str
    repository_id: str | None
    performer: str
    address: str
    metadata: Mapping[str, object] = field(default_factory=dict)

"""Repositories: an id that never changes behind a name that may."""

from dataclasses import dataclass
from enum import StrEnum

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.names import RepositoryName

# A list of a hundred must fit into one answer.
LONGEST_DESCRIPTION = 10_000


class Visibility(StrEnum):
    """Who may pull without a grant."""

    PUBLIC = "public"
    PRIVATE = "private"


class Mode(StrEnum):
    """Quay's `state`: whether a repository takes pushes."""

    NORMAL = "NORMAL"
    READ_ONLY = "READ_ONLY"
    MIRROR = "MIRROR"


@dataclass(frozen=True, slots=True)
class Repository:
    """Where content hangs."""

    id: str
    namespace_id: str
    name: RepositoryName


def parse_description(text: str) -> str:
    """What people read of a repository, in Markdown. Raises FieldInvalid where it is too long."""
    if len(text) > LONGEST_DESCRIPTION:
        raise FieldInvalid("description", f"at most {LONGEST_DESCRIPTION} characters")
    return text

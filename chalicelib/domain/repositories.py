"""Repositories: each has an id that never changes and a name that may."""

from dataclasses import dataclass
from enum import StrEnum

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.names import RepositoryName

# A list of a hundred repositories must fit into one response.
LONGEST_DESCRIPTION = 10_000


class Visibility(StrEnum):
    """Who may pull: everybody, or only accounts with a role."""

    PUBLIC = "public"
    PRIVATE = "private"


class Mode(StrEnum):
    """Quay's `state`: whether a repository takes pushes."""

    NORMAL = "NORMAL"
    READ_ONLY = "READ_ONLY"
    MIRROR = "MIRROR"


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository."""

    id: str
    namespace_id: str
    name: RepositoryName


def parse_description(text: str) -> str:
    """Returns a repository's description, which is Markdown. Raises FieldInvalid if it is too long."""
    if len(text) > LONGEST_DESCRIPTION:
        raise FieldInvalid("description", f"it has at most {LONGEST_DESCRIPTION} characters")
    return text

"""Repositories: each has an id that never changes and a name that may."""

from dataclasses import dataclass
from enum import StrEnum

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.names import RepositoryName

# Pages have room for a README; a list of a hundred repositories must fit into one response.
LONGEST_DESCRIPTION = 65_536
LONGEST_LISTED = 1000


class Visibility(StrEnum):
    """Who may pull: everybody, or only accounts with a role."""

    PUBLIC = "public"
    PRIVATE = "private"


class Mode(StrEnum):
    """Quay's `state`: whether a repository takes pushes. Only the mirror of an organization sets ORG_MIRROR."""

    NORMAL = "NORMAL"
    READ_ONLY = "READ_ONLY"
    MIRROR = "MIRROR"
    ORG_MIRROR = "ORG_MIRROR"

    @property
    def is_mirror(self) -> bool:
        """Whether the repository takes pushes by a mirror's robot alone."""
        return self in (Mode.MIRROR, Mode.ORG_MIRROR)


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository."""

    id: str
    namespace_id: str
    name: RepositoryName


def listed_description(text: str) -> str:
    """Returns a description as lists and the usage log have it: cut, with an ellipsis, if it is long."""
    return text if len(text) <= LONGEST_LISTED else text[: LONGEST_LISTED - 1] + "…"


def parse_description(text: str) -> str:
    """Returns a repository's description, which is Markdown. Raises FieldInvalid if it is too long."""
    if len(text) > LONGEST_DESCRIPTION:
        raise FieldInvalid("description", f"it has at most {LONGEST_DESCRIPTION} characters")
    return text

"""Repositories: an id that never changes behind a name that may."""

from dataclasses import dataclass
from enum import Enum

from chalicelib.domain.names import RepositoryName


class Visibility(Enum):
    """Who may pull without a grant."""

    PUBLIC = "public"
    PRIVATE = "private"


class Mode(Enum):
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

"""The states of what a collector may take, of repositories and of namespaces."""

from enum import StrEnum


class State(StrEnum):
    """Live, then condemned, then deleting. Condemned content is served as live; a reader never sees the difference."""

    LIVE = "live"
    CONDEMNED = "condemned"
    DELETING = "deleting"

    @property
    def is_living(self) -> bool:
        """Whether it still counts for readers and for what it names."""
        return self is not State.DELETING


class RepositoryState(StrEnum):
    """Whether a repository is there."""

    LIVE = "live"
    DELETED = "deleted"
    # Something of it may be gone already: nobody brings it back.
    PURGING = "purging"


class NamespaceState(StrEnum):
    """Whether a namespace is there."""

    LIVE = "live"
    DELETED = "deleted"
    # Its name is free.
    PURGED = "purged"

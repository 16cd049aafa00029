"""The states of content that the garbage collector may remove, of repositories and of namespaces."""

from enum import StrEnum


class State(StrEnum):
    """Live, then condemned, then deleting. Condemned content is served like live content."""

    LIVE = "live"
    CONDEMNED = "condemned"
    DELETING = "deleting"

    @property
    def is_living(self) -> bool:
        """Whether it is still served and still keeps what it names."""
        return self is not State.DELETING


class RepositoryState(StrEnum):
    """The state of a repository."""

    LIVE = "live"
    DELETED = "deleted"
    # Some of its content may be gone, so it can no longer be restored.
    PURGING = "purging"


class NamespaceUpstream(StrEnum):
    """From where all repositories of a namespace come, so that nobody creates any there by hand."""

    ORG_MIRROR = "ORG_MIRROR"
    PROXY_CACHE = "PROXY_CACHE"


class NamespaceState(StrEnum):
    """The state of a namespace."""

    LIVE = "live"
    DELETED = "deleted"
    # Its content is removed and its name is free.
    PURGED = "purged"

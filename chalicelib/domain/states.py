"""The states of what a collector may take: live, then condemned, then deleting."""

from enum import Enum


class State(Enum):
    """Condemned content is served as live; a reader never sees the difference."""

    LIVE = "live"
    CONDEMNED = "condemned"
    DELETING = "deleting"

    @property
    def is_living(self) -> bool:
        """Whether it still counts for readers and for what it names."""
        return self is not State.DELETING

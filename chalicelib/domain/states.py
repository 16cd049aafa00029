"""The states of content that the garbage collector may remove: live, then condemned, then deleting."""

from enum import Enum


class State(Enum):
    """The state of a manifest or a blob. Condemned content is served like live content."""

    LIVE = "live"
    CONDEMNED = "condemned"
    DELETING = "deleting"

    @property
    def is_living(self) -> bool:
        """Whether it is still served and still keeps what it names."""
        return self is not State.DELETING

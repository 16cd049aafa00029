"""Leases: how long the registry keeps content that a client may rely on although no manifest names it yet.

Times are in seconds since the epoch, lengths in seconds.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lease:
    """The length of every lease."""

    seconds: int

    def until(self, now: float) -> int:
        """Returns the end of a lease that begins now."""
        return int(now) + self.seconds

    def is_short(self, leased_until: int, now: float) -> bool:
        """Whether less than half of a lease is left, so that a client's HEAD renews it."""
        return leased_until - now < self.seconds / 2

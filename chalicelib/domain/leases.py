"""Leases: how long the registry keeps what nothing names yet, because it has promised a client to.

Times are seconds since the epoch, lengths seconds.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lease:
    """The length of every promise."""

    seconds: int

    def until(self, now: float) -> int:
        """The end of a lease that begins now."""
        return int(now) + self.seconds

    def is_short(self, leased_until: int, now: float) -> bool:
        """Whether less than half of a lease is left, so that a client's HEAD renews it."""
        return leased_until - now < self.seconds / 2

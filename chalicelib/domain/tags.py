"""Tags: their life, and how long it lasts."""

import re

# The end of what has no end, in seconds since the epoch: the last second of the year 9999.
FOREVER = 253402300799
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
PERIOD = re.compile(r"([0-9]{1,9})([smhdw])")


def parse_expiry(label: str | None) -> int | None:
    """Seconds that a `quay.expires-after` label grants, None where it says nothing that can be read.

    As Quay does: a label outside `<number><s|m|h|d|w>` is as good as none, the push succeeds.
    """
    match = PERIOD.fullmatch(label.strip().lower()) if label else None
    return int(match[1]) * SECONDS[match[2]] if match and int(match[1]) else None


def is_alive(expires_at: int | None, now: float) -> bool:
    """Whether a tag with this end is there for readers at `now`: the clock decides, not whether TTL has removed it."""
    return expires_at is None or expires_at > now


def end_of(expires_at: int | None) -> int:
    """The end of a life, as a number that can be compared."""
    return FOREVER if expires_at is None else expires_at

"""Tags: when they end, and filters of their names."""

import re
from dataclasses import dataclass

from chalicelib.domain.errors import DataInvalid

# Stands for no end, in seconds since the epoch: the last second of the year 9999.
FOREVER = 253402300799
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 365 * 86400}
PERIOD = re.compile(r"([0-9]{1,9})([smhdwy])")


def parse_expiry(label: str | None) -> int | None:
    """Returns the seconds that a `quay.expires-after` label states, None if it is missing or malformed.

    As in Quay, a label that is not `<number><s|m|h|d|w|y>` counts as none and the push succeeds.
    """
    match = PERIOD.fullmatch(label.strip().lower()) if label else None
    return int(match[1]) * SECONDS[match[2]] if match and int(match[1]) else None


def expiry(label: str | None, start: int) -> int | None:
    """Returns when a tag ends that has a label and begins at `start`; None for never."""
    seconds = parse_expiry(label)
    return start + seconds if seconds else None


def clamped(end: int | None, start: int, min_s: int, max_s: int) -> int | None:
    """Returns a chosen end, moved to at least `min_s` and at most `max_s` seconds after the start; None stays None."""
    return None if end is None else start + min(max(end - start, min_s), max_s)


def is_alive(expires_at: int | None, now: float) -> bool:
    """Whether a tag with this end exists at `now`. The clock decides, since TTL may remove its row later."""
    return expires_at is None or expires_at > now


def end_of(expires_at: int | None) -> int:
    """Returns the end of a tag's life as a number, so that ends can be compared."""
    return FOREVER if expires_at is None else expires_at


@dataclass(frozen=True, slots=True)
class TagFilter:
    """A filter of tag names: those that contain a text or, if `is_whole`, the one that equals it."""

    text: str
    is_whole: bool

    @classmethod
    def parse(cls, text: str) -> "TagFilter | None":
        """Parses Quay's `like:TEXT` or `eq:TEXT`; another operation filters nothing (None). Raises FieldInvalid."""
        operation, colon, rest = text.partition(":")
        if not colon:
            raise DataInvalid(
                "",
                "Unsupported syntax for filter_tag_name. Expected <operation>:<tag_name> where <operation>"
                "can be 'like' or 'eq'.",
            )
        return cls(rest, operation == "eq") if operation in ("like", "eq") else None

    def takes(self, name: str) -> bool:
        """Whether a name passes the filter."""
        return name == self.text if self.is_whole else self.text in name

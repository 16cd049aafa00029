"""Tags: their life, and how long it lasts."""

import re
from dataclasses import dataclass

from chalicelib.domain.errors import FieldInvalid

# The end of what has no end, in seconds since the epoch: the last second of the year 9999.
FOREVER = 253402300799
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 365 * 86400}
PERIOD = re.compile(r"([0-9]{1,9})([smhdwy])")


def parse_expiry(label: str | None) -> int | None:
    """Seconds that a `quay.expires-after` label grants, None where it says nothing that can be read.

    As Quay does: a label outside `<number><s|m|h|d|w|y>` is as good as none, the push succeeds.
    """
    match = PERIOD.fullmatch(label.strip().lower()) if label else None
    return int(match[1]) * SECONDS[match[2]] if match and int(match[1]) else None


def expiry(label: str | None, start: int) -> int | None:
    """The end that a label gives a tag which begins at a second; None for none."""
    seconds = parse_expiry(label)
    return start + seconds if seconds else None


def clamped(end: int | None, start: int, min_s: int, max_s: int) -> int | None:
    """An end that somebody chose, no nearer to the beginning and no farther from it than may be; None stays None."""
    return None if end is None else start + min(max(end - start, min_s), max_s)


def is_alive(expires_at: int | None, now: float) -> bool:
    """Whether a tag with this end is there for readers at `now`: the clock decides, not whether TTL has removed it."""
    return expires_at is None or expires_at > now


def end_of(expires_at: int | None) -> int:
    """The end of a life, as a number that can be compared."""
    return FOREVER if expires_at is None else expires_at


@dataclass(frozen=True, slots=True)
class TagFilter:
    """Which names are asked for: those that hold a text, or the one that is it."""

    text: str
    is_whole: bool

    @classmethod
    def parse(cls, text: str) -> "TagFilter | None":
        """A filter as Quay writes it: `like:` or `eq:` and a text, another word for all. Raises FieldInvalid."""
        operation, colon, rest = text.partition(":")
        if not colon:
            raise FieldInvalid(
                "",
                "Unsupported syntax for filter_tag_name. Expected <operation>:<tag_name> where <operation>"
                "can be 'like' or 'eq'.",
            )
        return cls(rest, operation == "eq") if operation in ("like", "eq") else None

    def takes(self, name: str) -> bool:
        """Whether a name is asked for."""
        return name == self.text if self.is_whole else self.text in name

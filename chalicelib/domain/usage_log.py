"""The usage log as it is read: a span of days, what is asked of it, and what its metadata tells besides."""

import datetime
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.events import DELETE_TAG, NAMING
from chalicelib.domain.ids import is_ulid
from chalicelib.domain.log_cursors import DAY_S, before, day_text, earliest

# Quay's: a month is what counts are told of.
MOST_COUNTED_DAYS = 31
# ULIDs begin with the epoch; the table's numbers, of 38 digits, hold those of two thousand years more.
LATEST = 2**36 // DAY_S * DAY_S


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days in UTC, from the second that begins the first to the one after the last."""

    start: int
    end: int

    @classmethod
    def parse(cls, start: str | None, end: str | None, now: float) -> "Period":
        """The days from one to another, both included, written `%m/%d/%Y`.

        Without a first, or with one that is no day, from yesterday; without a last, to today. Raises FieldInvalid.
        """
        today = int(now) // DAY_S * DAY_S
        first, last = _midnight(start, today - DAY_S), _midnight(end, today)
        if last < first:
            raise FieldInvalid("endtime", "the last day is before the first")
        return cls(first, last + DAY_S)

    @property
    def oldest(self) -> str:
        """The lowest ULID in it."""
        return earliest(self.start)

    @property
    def newest(self) -> str:
        """The highest ULID in it."""
        return before(earliest(self.end))

    @property
    def days(self) -> list[str]:
        """Its days, in order."""
        return [day_text(at) for at in range(self.start, self.end, DAY_S)]

    def newest_before(self, position: str | None) -> str:
        """Where a page begins: past the position that the page before ended with, if there was such a page."""
        if position is None or not is_ulid(position) or not self.oldest < position <= self.newest:
            return self.newest
        return before(position)


@dataclass(frozen=True, slots=True)
class UsageLogQuery:
    """What of a log: days as they were written, `performer` and `kind` to narrow it, empty for all."""

    start: str | None = None
    end: str | None = None
    performer: str = ""
    kind: str = ""

    def period(self, now: float) -> Period:
        """The days. Raises FieldInvalid."""
        return Period.parse(self.start, self.end, now)

    def takes(self, performer: str, kind: str) -> bool:
        """Whether a record is asked for."""
        return self.performer in ("", performer) and self.kind in ("", kind)

    @property
    def is_narrowed(self) -> bool:
        """Whether not all records are asked for."""
        return bool(self.performer or self.kind)


def _midnight(text: str | None, otherwise: int) -> int:
    with suppress(ValueError, TypeError):
        day = datetime.datetime.strptime(text or "", "%m/%d/%Y").replace(tzinfo=datetime.UTC)
        return min(max(int(day.timestamp()), 0), LATEST)
    return otherwise


def check_countable(period: Period) -> None:
    """Raises FieldInvalid for more days than counts are told of."""
    if period.end - period.start > MOST_COUNTED_DAYS * DAY_S:
        raise FieldInvalid("starttime", f"Date range too large: counts are told of at most {MOST_COUNTED_DAYS} days")


def with_quays_words(kind: str, metadata: Mapping[str, object], performer: str) -> dict[str, object]:
    """A record's metadata with the words that Quay has for them beside ours."""
    told: dict[str, object] = {}
    namespace, slash, repository = str(metadata.get("repository", "")).partition("/")
    if slash:
        told |= {"namespace": namespace, "repo": repository}
    tags = metadata.get("tags")
    if isinstance(tags, list) and len(tags) == 1:
        told["tag"] = tags[0]
    reference = metadata.get("reference")
    if isinstance(reference, str):
        told["manifest_digest" if ":" in reference else "tag"] = reference
    if kind in NAMING and performer:
        told |= {"username": performer} | ({"is_robot": True} if "+" in performer else {})
    if kind == DELETE_TAG and "manifest_digest" in metadata:
        told["digest"] = metadata["manifest_digest"]
    return {**told, **metadata}

"""Reading the usage log: periods of days, queries, and Quay's fields in the metadata."""

import datetime
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from chalicelib.domain.errors import DataInvalid
from chalicelib.domain.events import DELETE_TAG, NAMING
from chalicelib.domain.ids import is_ulid
from chalicelib.domain.log_cursors import DAY_S, before, day_text, earliest

# As in Quay, counts are available for at most a month.
MOST_COUNTED_DAYS = 31
# Positions are ULIDs as numbers: the table's 38 digits hold those of about two thousand years after the epoch.
LATEST = 2**36 // DAY_S * DAY_S


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days in UTC: from `start` to before `end`, in seconds since the epoch."""

    start: int
    end: int

    @classmethod
    def parse(cls, start: str | None, end: str | None, now: float) -> "Period":
        """Parses two days written `%m/%d/%Y`, both inclusive.

        A missing or malformed first day is yesterday, such a last day today. Raises FieldInvalid if they are reversed.
        """
        today = int(now) // DAY_S * DAY_S
        first, last = _midnight(start, today - DAY_S), _midnight(end, today)
        if last < first:
            raise DataInvalid("endtime", "the last day is before the first")
        return cls(first, last + DAY_S)

    @property
    def oldest(self) -> str:
        """The lowest ULID in the period."""
        return earliest(self.start)

    @property
    def newest(self) -> str:
        """The highest ULID in the period."""
        return before(earliest(self.end))

    @property
    def days(self) -> list[str]:
        """The days of the period, in order."""
        return [day_text(at) for at in range(self.start, self.end, DAY_S)]

    def newest_before(self, position: str | None) -> str:
        """Returns the highest ULID of the next page, given the position at which the page before it ended, if any.

        It is empty if that position is before the period, because the days have moved on: nothing is left then.
        """
        if position is None or not is_ulid(position) or position > self.newest:
            return self.newest
        return before(position) if position > self.oldest else ""


@dataclass(frozen=True, slots=True)
class UsageLogQuery:
    """A query of a log: days as they were written; `performer` and `kind` filter it, an empty text stands for all."""

    start: str | None = None
    end: str | None = None
    performer: str = ""
    kind: str = ""

    def period(self, now: float) -> Period:
        """Returns the period of the query. Raises FieldInvalid."""
        return Period.parse(self.start, self.end, now)

    def takes(self, performer: str, kind: str) -> bool:
        """Whether a record matches the query."""
        return self.performer in ("", performer) and self.kind in ("", kind)

    @property
    def is_narrowed(self) -> bool:
        """Whether the query filters records."""
        return bool(self.performer or self.kind)


def _midnight(text: str | None, otherwise: int) -> int:
    with suppress(ValueError, TypeError):
        day = datetime.datetime.strptime(text or "", "%m/%d/%Y").replace(tzinfo=datetime.UTC)
        return min(max(int(day.timestamp()), 0), LATEST)
    return otherwise


def check_countable(period: Period) -> None:
    """Raises FieldInvalid for more days than counts are available for."""
    if period.end - period.start > MOST_COUNTED_DAYS * DAY_S:
        raise DataInvalid("starttime", f"Date range too large: counts cover at most {MOST_COUNTED_DAYS} days")


def with_quays_words(kind: str, metadata: Mapping[str, object], performer: str) -> dict[str, object]:
    """Returns a record's metadata with Quay's fields added to ours."""
    fields: dict[str, object] = {}
    namespace, slash, repository = str(metadata.get("repository", "")).partition("/")
    if slash:
        fields |= {"namespace": namespace, "repo": repository}
    tags = metadata.get("tags")
    if isinstance(tags, list) and len(tags) == 1:
        fields["tag"] = tags[0]
    reference = metadata.get("reference")
    if isinstance(reference, str):
        fields["manifest_digest" if ":" in reference else "tag"] = reference
    if kind in NAMING and performer:
        fields |= {"username": performer} | ({"is_robot": True} if "+" in performer else {})
    if kind == DELETE_TAG and "manifest_digest" in metadata:
        fields["digest"] = metadata["manifest_digest"]
    return {**fields, **metadata}

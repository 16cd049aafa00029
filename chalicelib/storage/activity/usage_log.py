"""The usage log as it is kept.

Records of changes and of pulls lie in partitions of their own, so that a storm of pulls slows no push; by repository
(or by namespace, where none is concerned) in the table, by namespace in index `view`, and of everybody in index `due`.
All are in the order of their ULIDs: a page costs the same at ten records and at ten million.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pynamodb.attributes import UnicodeAttribute

from chalicelib.domain.events import Event
from chalicelib.domain.log_cursors import DAY_S, day_start, number_of
from chalicelib.domain.pulls import Pull, due_at
from chalicelib.domain.timers import PULLS as COUNTING
from chalicelib.storage import keys
from chalicelib.storage.attributes import Integer, OptionalInteger, OptionalText
from chalicelib.storage.table import Row, Transaction, put_all, read_pages
from chalicelib.storage.timers import timer

CHANGES, PULLS = "c", "p"


class LogRow(Row):
    """One record of the usage log. `metadata` is JSON."""

    at = Integer()
    kind = UnicodeAttribute()
    namespace_id = UnicodeAttribute()
    repository_id = OptionalText()
    performer = UnicodeAttribute()
    address = UnicodeAttribute()
    metadata = UnicodeAttribute()
    version = Integer(default=1)
    expires_at = OptionalInteger()
    view = UnicodeAttribute()
    view_at = UnicodeAttribute()
    due = UnicodeAttribute()
    # The ULID as a number.
    due_at = Integer()


class CountRow(Row):
    """How many records of each kind (JSON) a day of a partition has from its beginning to the ULID `upto`."""

    counts = UnicodeAttribute()
    upto = UnicodeAttribute()
    expires_at = OptionalInteger()


@dataclass(frozen=True, slots=True)
class LogPartition:
    """A partition of records in the order of their ULIDs; of the table where `index` is None."""

    partition: str
    index: str | None = None


def runs_of_repository(repository_id: str) -> list[LogPartition]:
    """Where the records of a repository lie."""
    return [LogPartition(keys.log("", repository_id, shard)[0]) for shard in (CHANGES, PULLS)]


def runs_of_namespace(namespace_id: str) -> list[LogPartition]:
    """Where the records of a namespace, with those of its repositories, lie."""
    return [LogPartition(keys.log(namespace_id, None, shard)[0], "view") for shard in (CHANGES, PULLS)]


def pulls_of_namespace(namespace_id: str) -> LogPartition:
    """Where the pulls of a namespace's repositories lie."""
    return runs_of_namespace(namespace_id)[1]


def runs_of_everybody() -> list[LogPartition]:
    """Where all records lie."""
    return [LogPartition(partition, "due") for shard in (CHANGES, PULLS) for partition in keys.due_logs(shard)]


class UsageLogStore:
    """The usage log in the table. `retention_s` is how long a record stays."""

    def __init__(self, retention_s: int) -> None:
        self._retention_s = retention_s

    def record(self, transaction: Transaction, event: Event) -> None:
        """Writes what happened in the transaction that lets it happen."""
        transaction.put(self._log_row(event, CHANGES))

    def write(self, event: Event) -> None:
        """Writes what happened and changed nothing."""
        self._log_row(event, CHANGES).save()

    def write_pulls(self, pulls: list[Event], hours: Iterable[tuple[str, int]] = ()) -> None:
        """Writes records of pulls, 25 a call, and before them the timers by which they are counted.

        These are of repositories and hours, named by their first second. What is written twice is written once.
        """
        timers = [timer(COUNTING, keys.hour_target(*one), due_at(*one)) for one in hours]
        put_all([*timers, *(self._log_row(pull, PULLS) for pull in pulls)])

    def pulls(self, repository_id: str, first: str, last: str, limit: int) -> tuple[list[Pull], bool]:
        """Pulls of a repository from one ULID up to another, both included, oldest first, by one call.

        At most `limit`, and what one call reads; with whether that is all of them.
        """
        connection, (partition, _) = Row._get_connection().connection, keys.log("", repository_id, PULLS)
        between = LogRow.sk.between(first, last)
        answer = connection.query(Row.Meta.table_name, partition, between, limit=limit, consistent_read=True)
        return [_pull(raw) for raw in answer["Items"]], "LastEvaluatedKey" not in answer

    def _log_row(self, event: Event, shard: str) -> LogRow:
        return LogRow.under(
            keys.log(event.namespace_id, event.repository_id, shard, event.id),
            at=int(event.at),
            kind=event.kind,
            namespace_id=event.namespace_id,
            repository_id=event.repository_id,
            performer=event.performer,
            address=event.address,
            metadata=json.dumps(event.metadata, separators=(",", ":")),
            expires_at=int(event.at) + self._retention_s,
            view=keys.log(event.namespace_id, None, shard)[0],
            view_at=event.id,
            due=keys.due_logs(shard, event.namespace_id)[0],
            due_at=number_of(event.id),
        )

    def newest(self, run: LogPartition, last: str, first: str, page: int) -> Iterator[LogRow]:
        """Records from one ULID down to another, both included, newest first, read `page` at a time."""
        for raw in _read(run, first, last, page=page, forward=False):
            yield LogRow.from_raw_data(raw)

    def oldest(self, run: LogPartition, first: str, last: str, page: int) -> Iterator[LogRow]:
        """The same from one ULID up to another, oldest first."""
        for raw in _read(run, first, last, page=page, forward=True):
            yield LogRow.from_raw_data(raw)

    def kinds(self, run: LogPartition, first: str, last: str) -> Iterator[tuple[str, str, str]]:
        """ULID, kind and performer of records from one ULID up to another, both included."""
        for raw in _read(run, first, last, page=None, forward=True):
            yield raw["sk"]["S"], raw["kind"]["S"], raw["performer"]["S"]

    def counted(self, run: LogPartition, first: str, last: str) -> dict[str, tuple[str, Mapping[str, int]]]:
        """What has been counted of the days from one to another: by day, up to which ULID, and how many of a kind."""
        partition, _ = keys.count(run.partition, first)
        found = CountRow.query(partition, CountRow.sk.between(first, last), consistent_read=True)
        return {row.sk: (row.upto, json.loads(row.counts)) for row in found}

    def keep_counted(self, run: LogPartition, days: Mapping[str, tuple[str, Mapping[str, int]]]) -> None:
        """Writes down what was counted. Each row is true by itself: whoever writes last may know less, and no wrong."""
        put_all(
            CountRow.under(
                keys.count(run.partition, day),
                upto=upto,
                counts=json.dumps(counts),
                expires_at=day_start(day) + DAY_S + self._retention_s,
            )
            for day, (upto, counts) in days.items()
        )


def _read(run: LogPartition, first: str, last: str, *, page: int | None, forward: bool) -> Iterable[dict[str, Any]]:
    condition = {
        None: LogRow.sk.between(first, last),
        "view": LogRow.view_at.between(first, last),
        "due": LogRow.due_at.between(number_of(first), number_of(last)),
    }[run.index]
    options: dict[str, Any] = {
        "index_name": run.index,
        "scan_index_forward": forward,
        "consistent_read": run.index is None,
    }
    for items, _ in read_pages(run.partition, condition, page=page, **options):
        yield from items


def _pull(raw: Mapping[str, Any]) -> Pull:
    told = json.loads(raw["metadata"]["S"])
    named = [told.get("reference"), told.get("manifest_digest")]
    return Pull(raw["sk"]["S"], int(raw["at"]["N"]), tuple(one for one in named if one))

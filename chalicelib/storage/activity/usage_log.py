"""Stores the usage log.

Changes and pulls have separate partitions, so that many pulls do not slow pushes. The table has records by repository
(by namespace if they concern none), index `view` by namespace, and index `due` those of the whole registry. All are in
the order of their ULIDs, so that a page costs the same among ten records as among ten million.
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
    """A record of the usage log. `metadata` is JSON."""

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
    """How many records of each kind (JSON) a partition has on a day, up to the ULID `upto`."""

    counts = UnicodeAttribute()
    upto = UnicodeAttribute()
    expires_at = OptionalInteger()


@dataclass(frozen=True, slots=True)
class LogPartition:
    """A partition of records in the order of their ULIDs, of an index or of the table (`index` is None)."""

    partition: str
    index: str | None = None


def runs_of_repository(repository_id: str) -> list[LogPartition]:
    """Returns the partitions of a repository's records."""
    return [LogPartition(keys.log("", repository_id, shard)[0]) for shard in (CHANGES, PULLS)]


def runs_of_namespace(namespace_id: str) -> list[LogPartition]:
    """Returns the partitions of the records of a namespace and its repositories."""
    return [LogPartition(keys.log(namespace_id, None, shard)[0], "view") for shard in (CHANGES, PULLS)]


def pulls_of_namespace(namespace_id: str) -> LogPartition:
    """Returns the partition of the pulls from a namespace's repositories."""
    return runs_of_namespace(namespace_id)[1]


def runs_of_everybody() -> list[LogPartition]:
    """Returns the partitions of all records."""
    return [LogPartition(partition, "due") for shard in (CHANGES, PULLS) for partition in keys.due_logs(shard)]


class UsageLogStore:
    """The usage log in the table. `retention_s` is how long a record is kept, in seconds."""

    def __init__(self, retention_s: int) -> None:
        self._retention_s = retention_s

    def record(self, transaction: Transaction, event: Event) -> None:
        """Adds the record of an event to the transaction that makes it happen."""
        transaction.put(self._log_row(event, CHANGES))

    def write(self, event: Event) -> None:
        """Writes the record of an event that changed nothing else."""
        self._log_row(event, CHANGES).save()

    def write_pulls(self, pulls: list[Event], hours: Iterable[tuple[str, int]] = ()) -> None:
        """Writes records of pulls, 25 per call, after the timers that count them.

        `hours` are repositories' ids, each with the first second of an hour. A repeated call writes the same rows.
        """
        timers = [timer(COUNTING, keys.hour_target(*one), due_at(*one)) for one in hours]
        put_all([*timers, *(self._log_row(pull, PULLS) for pull in pulls)])

    def pulls(self, repository_id: str, first: str, last: str, limit: int) -> tuple[list[Pull], bool]:
        """Reads a repository's pulls between two ULIDs, both inclusive, oldest first, with one call.

        Returns at most `limit` pulls, and whether they are all.
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
        """Yields records between two ULIDs, both inclusive, newest first, reading `page` at a time."""
        for raw in _read(run, first, last, page=page, forward=False):
            yield LogRow.from_raw_data(raw)

    def oldest(self, run: LogPartition, first: str, last: str, page: int) -> Iterator[LogRow]:
        """Yields records between two ULIDs, both inclusive, oldest first, reading `page` at a time."""
        for raw in _read(run, first, last, page=page, forward=True):
            yield LogRow.from_raw_data(raw)

    def kinds(self, run: LogPartition, first: str, last: str) -> Iterator[tuple[str, str, str]]:
        """Yields ULID, kind and performer of the records between two ULIDs, both inclusive, oldest first."""
        for raw in _read(run, first, last, page=None, forward=True):
            yield raw["sk"]["S"], raw["kind"]["S"], raw["performer"]["S"]

    def counted(self, run: LogPartition, first: str, last: str) -> dict[str, tuple[str, Mapping[str, int]]]:
        """Returns the counts of days, both inclusive: by day, the last counted ULID and the number by kind."""
        partition, _ = keys.count(run.partition, first)
        rows = CountRow.query(partition, CountRow.sk.between(first, last), consistent_read=True)
        return {row.sk: (row.upto, json.loads(row.counts)) for row in rows}

    def keep_counted(self, run: LogPartition, days: Mapping[str, tuple[str, Mapping[str, int]]]) -> None:
        """Writes counts. A later write may hold an older count, which is still correct up to its `upto`."""
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
    metadata = json.loads(raw["metadata"]["S"])
    references = [metadata.get("reference"), metadata.get("manifest_digest")]
    return Pull(raw["sk"]["S"], int(raw["at"]["N"]), tuple(reference for reference in references if reference))

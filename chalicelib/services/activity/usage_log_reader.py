"""Reads the usage log page by page, and counts its records by day."""

import heapq
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.errors import FieldInvalid, Unavailable
from chalicelib.domain.log_cursors import DAY_S, day_of, day_start, earliest
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, Role
from chalicelib.domain.pulls import HOUR_S
from chalicelib.domain.repositories import Repository
from chalicelib.domain.scopes import audits
from chalicelib.domain.usage_log import Period, UsageLogQuery, check_countable, with_quays_words
from chalicelib.services.security.access import Access
from chalicelib.storage.activity.usage_log import (
    LogPartition,
    LogRow,
    runs_of_everybody,
    runs_of_namespace,
    runs_of_repository,
)
from chalicelib.storage.stores import Stores

PAGE = 20
# The most records that one request reads, some 4 MB. A filtered page may be short and still have a next one.
MOST_READ, READ_AT_ONCE = 8000, 2000
# The most records that one request counts before the client must retry, and from how many on it stores the counts.
MOST_COUNTED, WORTH_KEEPING = 40_000, 1000


@dataclass(frozen=True, slots=True)
class LogOwner:
    """Names a log: of a repository, of an organization, of everybody, or else of the actor."""

    repository: RepositoryName | None = None
    organization: str | None = None
    everybody: bool = False


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One record. `namespace` is its name and kind, given in the log of everybody only; `at` is in seconds."""

    kind: str
    at: int
    address: str
    performer: str
    metadata: Mapping[str, object]
    namespace: tuple[str, AccountKind] | None = None


@dataclass(frozen=True, slots=True)
class LogPage:
    """A page of records, newest first. `following` is where the next page begins, None on the last page."""

    period: Period
    entries: Sequence[LogEntry]
    following: str | None = None


@dataclass(frozen=True, slots=True)
class DayCount:
    """The number of records of a kind on a day; `at` is the first second of the day."""

    kind: str
    count: int
    at: int


@dataclass(frozen=True, slots=True)
class ReadableLog:
    """A log that the actor may read: its partitions, and its namespace and repository unless it is everybody's."""

    runs: Sequence[LogPartition]
    namespace_id: str = ""
    namespace: str = ""
    repository_id: str | None = None
    repository: str | None = None


class UsageLogReader:
    """Reads the usage log for those who administer its owner, and for read-only superusers."""

    def __init__(self, access: Access, stores: Stores) -> None:
        self._access, self._store, self._accounts = access, stores.usage_log, stores.accounts
        self._repositories, self._clock = stores.repositories, stores.clock

    def page(self, actor: Actor, owner: LogOwner, query: UsageLogQuery, after: str | None = None) -> LogPage:
        """Returns twenty records, newest first, after the end of the page before.

        Raises FieldInvalid for an unknown performer, Unauthenticated, Denied, NotFound.
        """
        log, period = self.readable_log(actor, owner), query.period(self._clock())
        rows, following = self._page(log.runs, query, period, after)
        if not rows and following is None:
            self._check_performer(query)
        names: Mapping[str, tuple[str, AccountKind]] = {}
        if owner.everybody:
            namespaces = self._accounts.namespaces(sorted({row.namespace_id for row in rows}))
            names = {identifier: (row.name, row.kind) for identifier, row in namespaces.items()}
        return LogPage(period, [_entry(row, names.get(row.namespace_id)) for row in rows], following)

    def _check_performer(self, query: UsageLogQuery) -> None:
        """Raises FieldInvalid if a query without a record names a performer whom nobody knows."""
        if query.performer and self._accounts.find(query.performer) is None:
            raise FieldInvalid("performer", "no account has this name")

    def _page(
        self, runs: Sequence[LogPartition], query: UsageLogQuery, period: Period, after: str | None
    ) -> tuple[list[LogRow], str | None]:
        page: list[LogRow] = []
        last = after
        rows = self._newest(runs, period, after, READ_AT_ONCE if query.is_narrowed else PAGE + 1)
        for number, row in enumerate(rows):
            is_match = query.takes(row.performer, row.kind)
            if number == MOST_READ or (is_match and len(page) == PAGE):
                return page, last
            last = row.sk
            if is_match:
                page.append(row)
        return page, None

    def _newest(self, runs: Sequence[LogPartition], period: Period, after: str | None, page: int) -> Iterator[LogRow]:
        top, bottom = period.newest_before(after), period.oldest
        if top < bottom:
            return iter(())
        each = min(page, max(READ_AT_ONCE // len(runs), PAGE + 1))
        lists = [self._store.newest(run, top, bottom, each) for run in runs]
        return heapq.merge(*lists, key=lambda row: row.sk, reverse=True)

    def counts(self, actor: Actor, owner: LogOwner, query: UsageLogQuery) -> list[DayCount]:
        """Returns the number of records of each kind on each day.

        Raises FieldInvalid for more than 31 days and for an unknown performer, and Unavailable if there is too much to
        count in one request. The counts so far are stored, so that a retry continues from them.
        """
        log, period = self.readable_log(actor, owner), query.period(self._clock())
        check_countable(period)
        total: Counter[tuple[str, str]] = Counter()
        budget = iter(range(MOST_COUNTED))
        for run in log.runs:
            is_all = not query.is_narrowed
            total += self._all(run, period, budget) if is_all else self._narrowed(run, period, query, budget)
        if not total:
            self._check_performer(query)
        days = {day: day_start(day) for day in period.days}
        return [DayCount(kind, number, days[day]) for (day, kind), number in sorted(total.items())]

    def activity(self, actor: Actor, name: RepositoryName, days: int) -> list[tuple[str, int]]:
        """Returns the number of records of a repository on each of the last days, today first, for its readers.

        Raises NameUnknown, Denied, and Unavailable if there is too much to count in one request.
        """
        repository = self._access.require_role(actor, name, Role.READ).repository
        tomorrow = (int(self._clock()) // DAY_S + 1) * DAY_S
        period, budget = Period(tomorrow - days * DAY_S, tomorrow), iter(range(MOST_COUNTED))
        total: Counter[str] = Counter()
        for run in runs_of_repository(repository.id):
            for (day, _), number in self._all(run, period, budget).items():
                total[day] += number
        return [(day, total[day]) for day in reversed(period.days)]

    def _narrowed(
        self, run: LogPartition, period: Period, query: UsageLogQuery, budget: Iterator[int]
    ) -> "Counter[tuple[str, str]]":
        total: Counter[tuple[str, str]] = Counter()
        for position, kind, performer in self._store.kinds(run, period.oldest, period.newest):
            if next(budget, None) is None:
                raise FieldInvalid("starttime", "there are too many records: ask for fewer days")
            if query.takes(performer, kind):
                total[day_of(position), kind] += 1
        return total

    def _all(self, run: LogPartition, period: Period, budget: Iterator[int]) -> "Counter[tuple[str, str]]":
        """Counts all records, continuing from the stored counts."""
        days = period.days
        known = self._store.counted(run, days[0], days[-1])
        upto = {day: known[day][0] if day in known else earliest(day_start(day)) for day in days}
        total = Counter({(day, kind): count for day in known for kind, count in known[day][1].items()})
        first = next((upto[day] for day in days if upto[day] < earliest(day_start(day) + DAY_S)), None)
        if first is None:
            return total
        # A pull has the key of the start of its hour: an hour that ended an hour ago gets no more records.
        settled = earliest((int(self._clock()) // HOUR_S - 1) * HOUR_S)
        kept, read, last = total.copy(), 0, ""
        for position, kind, _ in self._store.kinds(run, first, period.newest):
            if next(budget, None) is None:
                # Everything before this record has been counted; the record itself has not.
                self._keep(run, days, kept, upto, min(position, settled))
                raise Unavailable("the log is still being counted")
            day, read, last = day_of(position), read + 1, position
            if position < upto[day]:
                continue
            total[day, kind] += 1
            if position < settled:
                kept[day, kind] += 1
        if read >= WORTH_KEEPING and last:
            self._keep(run, days, kept, upto, settled)
        return total

    def _keep(
        self,
        run: LogPartition,
        days: Sequence[str],
        kept: "Counter[tuple[str, str]]",
        upto: Mapping[str, str],
        bound: str,
    ) -> None:
        """Stores the counts of the records before a bound, for the days with new counts."""
        changed: dict[str, tuple[str, Mapping[str, int]]] = {}
        for day in days:
            reached = min(bound, earliest(day_start(day) + DAY_S))
            if reached > upto[day]:
                changed[day] = reached, {kind: count for (counted, kind), count in kept.items() if counted == day}
        self._store.keep_counted(run, changed)

    def readable_log(self, actor: Actor, owner: LogOwner) -> ReadableLog:
        """Returns a log that the actor may read. Raises Unauthenticated, Denied, NotFound, ResourceUnknown."""
        if owner.everybody:
            self._access.superuser(actor)
            return ReadableLog(runs_of_everybody())
        if owner.repository is not None:
            repository = self._readable(actor, owner.repository)
            full_name = repository.name
            runs = runs_of_repository(repository.id)
            return ReadableLog(runs, repository.namespace_id, full_name.namespace, repository.id, full_name.repository)
        if owner.organization is not None:
            access = self._access.administered(actor, owner.organization)
            identifier, name = access.id, access.name
        else:
            identifier, name = self._access.require_user(actor), actor.name
        return ReadableLog(runs_of_namespace(identifier), identifier, name)

    def _readable(self, actor: Actor, name: RepositoryName) -> Repository:
        """Returns a repository whose log the actor may read: its admins, and read-only superusers any."""
        pointer = self._accounts.find(name.namespace) if audits(actor) else None
        row = self._repositories.find(pointer.id, name) if pointer else None
        if pointer is None or row is None:
            return self._access.require_role(actor, name, Role.ADMIN).repository
        return Repository(row.repository_id, pointer.id, name)


def _entry(row: LogRow, namespace: tuple[str, AccountKind] | None) -> LogEntry:
    metadata = with_quays_words(row.kind, json.loads(row.metadata), row.performer)
    return LogEntry(row.kind, row.at, row.address, row.performer, metadata, namespace)

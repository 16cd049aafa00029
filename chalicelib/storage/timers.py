"""Stores timers: work that is due at a time. They have no TTL; the job that did the work deletes its timer."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import DeleteError, UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.domain.ids import ulid
from chalicelib.domain.timers import GARBAGE, Due
from chalicelib.storage import keys
from chalicelib.storage.attributes import Integer, OptionalText
from chalicelib.storage.table import Row, Transaction, get, read_pages, view

LOST = "ConditionalCheckFailedException"


class TimerRow(Row):
    """Work of a kind that is due for a target. A kind and a target have at most one timer.

    `armed` is new with every write, so that a job that read an earlier timer does not end a later one.
    """

    kind = UnicodeAttribute()
    target = UnicodeAttribute()
    due = UnicodeAttribute()
    due_at = Integer()
    armed = UnicodeAttribute()
    place = UnicodeAttribute(default="")
    tries = Integer(default=0)
    # Set for what the Time Machine keeps, so that a shortened window finds the timer.
    view = OptionalText()
    view_at = OptionalText()

    @property
    def work(self) -> Due:
        """The work as a value of the domain."""
        return Due(self.kind, self.target, self.due_at, self.place, self.tries)


class TurnRow(Row):
    """The last run of the timer job that found work: when it began and ended, in seconds, and what it did.

    While it runs, and after it was killed, `ended_at` is before `began_at`.
    """

    began_at = Integer()
    ended_at = Integer(default=0)
    done = Integer(default=0)
    later = Integer(default=0)
    failed = Integer(default=0)
    late_s = Integer(default=0)

    @property
    def is_running(self) -> bool:
        """Whether the run has not ended."""
        return self.ended_at < self.began_at


def timer(kind: str, target: str, due_at: int) -> TimerRow:
    """Creates the timer of a target. Written over an existing one, it moves that one and restarts its work."""
    (due,) = keys.due_timers(target)
    return TimerRow.under(keys.timer(kind, target), kind=kind, target=target, due=due, due_at=due_at, armed=ulid())


def garbage_timer(namespace_id: str, target: str, died_at: int, window_s: int) -> TimerRow:
    """Creates the garbage timer of something that died at `died_at` and is kept for `window_s` seconds."""
    row = timer(GARBAGE, target, died_at + window_s)
    row.view, row.view_at = keys.view_dead(namespace_id), keys.dead_at(died_at, target)
    return row


class TimerStore:
    """The timers in the table."""

    def due(self, partition: str, kinds: Iterable[str], until: int, limit: int) -> tuple[list[TimerRow], bool]:
        """Returns some kinds' timers that are due until a second, the oldest first, and whether there may be more.

        Returns `limit` timers or a few more. The index lags: some may be gone or moved.
        """
        rows: list[TimerRow] = []
        for items, is_last in _due_pages(partition, kinds, until, page=limit):
            rows += items
            if is_last or len(rows) >= limit:
                return rows, not is_last
        return rows, False

    def newest_due(self, partition: str, kinds: Iterable[str], until: int, calls: int) -> Iterator[TimerRow]:
        """Yields some kinds' timers that are due until a second, the newest first, as far as some calls of 1 MB read.

        A call reads past the timers of other kinds, some 2,000 of them.
        """
        for items, _ in islice(_due_pages(partition, kinds, until, scan_index_forward=False), calls):
            yield from items

    def dead(self, namespace_id: str, after: str, limit: int) -> list[TimerRow]:
        """Returns the timers of what a namespace's Time Machine keeps, after `after`, oldest first. The index lags."""
        return list(view(TimerRow, keys.view_dead(namespace_id), after, limit))

    def count(self, kind: str, now: int, most: int) -> int:
        """Returns how many timers of a kind are due, at most `most`. The index lags."""
        due = 0
        for partition in keys.due_timers():
            for items, _ in _due_pages(partition, [kind], now, page=most, attributes_to_get=["kind"]):
                due += len(items)
                if due >= most:
                    return most
        return due

    def turn(self) -> TurnRow | None:
        """Returns the last run that found work."""
        return get(TurnRow, keys.turn())

    def note(self, row: TurnRow) -> None:
        """Writes the row of a run that begins or ends."""
        row.save()

    def get(self, kind: str, target: str) -> TimerRow | None:
        """Returns the timer of a kind and target."""
        return get(TimerRow, keys.timer(kind, target))

    def move(self, row: TimerRow, due_at: int, place: str, tries: int) -> bool:
        """Moves a timer and updates `row`. Returns False when the timer is no longer the one that was read."""
        actions: list[Action] = [
            TimerRow.due_at.set(due_at),
            TimerRow.place.set(place),
            TimerRow.tries.set(tries),
            TimerRow.armed.set(ulid()),
        ]
        try:
            row.update(actions, condition=_unchanged(row))
        except UpdateError as error:
            if error.cause_response_code != LOST:
                raise
            return False
        return True

    def end(self, row: TimerRow) -> bool:
        """Removes a timer whose work is done. Returns False when it is no longer the one that was read."""
        try:
            row.delete(condition=_unchanged(row))
        except DeleteError as error:
            if error.cause_response_code != LOST:
                raise
            return False
        return True


def _due_pages(
    partition: str, kinds: Iterable[str], until: int, **options: Any
) -> Iterator[tuple[list[TimerRow], bool]]:
    """Yields, for each call, some kinds' timers that are due until a second and whether they are the last."""
    options |= {"index_name": "due", "filter_condition": TimerRow.kind.is_in(*kinds)}
    for items, is_last in read_pages(partition, TimerRow.due_at <= until, **options):
        yield [TimerRow.from_raw_data(raw) for raw in items], is_last


def _unchanged(row: TimerRow) -> Condition:
    condition: Condition = TimerRow.armed == row.armed
    return condition


def move_timer(transaction: Transaction, kind: str, target: str, due_at: int | None) -> None:
    """Writes a timer of a kind for a target, or removes it where nothing is due (None)."""
    if due_at is None:
        transaction.delete(TimerRow.under(keys.timer(kind, target)))
    else:
        transaction.put(timer(kind, target, due_at))

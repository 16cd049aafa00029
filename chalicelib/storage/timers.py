"""Timers: work that is due at a time. They have no TTL: the job that finished one deletes it."""

from collections.abc import Iterator

from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import DeleteError, UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.domain.ids import ulid
from chalicelib.domain.timers import GARBAGE, Due
from chalicelib.storage import keys
from chalicelib.storage.attributes import Integer, OptionalText
from chalicelib.storage.table import Row, get, read_pages, view

LOST = "ConditionalCheckFailedException"


class TimerRow(Row):
    """One piece of due work, at most one per kind and target.

    `armed` is new with every write: two timers of one second are still two, and who read the first ends only that.
    """

    kind = UnicodeAttribute()
    target = UnicodeAttribute()
    due = UnicodeAttribute()
    due_at = Integer()
    armed = UnicodeAttribute()
    place = UnicodeAttribute(default="")
    tries = Integer(default=0)
    # Where it stands for something that a Time Machine keeps: a shorter window finds it there.
    view = OptionalText()
    view_at = OptionalText()

    @property
    def work(self) -> Due:
        """What is to be done."""
        return Due(self.kind, self.target, self.due_at, self.place, self.tries)


class TurnRow(Row):
    """The last turn in which something was due: when it began and ended, in seconds, and what came of it.

    While it runs, or when it was ended from outside, it has not ended since it began.
    """

    began_at = Integer()
    ended_at = Integer(default=0)
    done = Integer(default=0)
    later = Integer(default=0)
    failed = Integer(default=0)
    late_s = Integer(default=0)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.ended_at < self.began_at


def timer(kind: str, target: str, due_at: int) -> TimerRow:
    """The timer of a target; written again it is simply due at the new time, and its work begins anew."""
    due = keys.due(kind, target)
    return TimerRow.under(keys.timer(kind, target), kind=kind, target=target, due=due, due_at=due_at, armed=ulid())


def garbage_timer(namespace_id: str, target: str, died_at: int, window_s: int) -> TimerRow:
    """The timer of the collector for what died at a second and is kept for its namespace's window."""
    row = timer(GARBAGE, target, died_at + window_s)
    row.view, row.view_at = keys.view_dead(namespace_id), keys.dead_at(died_at, target)
    return row


class TimerStore:
    """Timers in the table."""

    def due(self, partition: str, now: int, limit: int) -> Iterator[TimerRow]:
        """What is due in a partition of the index, the oldest first. The index lags: some may be gone, or moved."""
        for items, _ in read_pages(partition, TimerRow.due_at <= now, limit=limit, index_name="due"):
            yield from (TimerRow.from_raw_data(raw) for raw in items)

    def dead(self, namespace_id: str, after: str, limit: int) -> list[TimerRow]:
        """Timers of what a namespace's Time Machine keeps, past a place, the oldest dead first; the index lags."""
        return list(view(TimerRow, keys.view_dead(namespace_id), after, limit))

    def count(self, kind: str, now: int, most: int) -> int:
        """How many timers of a kind are due, told up to `most`; from the index, which lags."""
        table, found = TimerRow._get_connection(), 0
        for shard in range(keys.SHARDS):
            found += table.connection.query(
                table.table_name,
                keys.due_shard(kind, shard),
                TimerRow.due_at <= now,
                index_name="due",
                limit=most,
                select="COUNT",
            )["Count"]
        return min(found, most)

    def turn(self) -> TurnRow | None:
        """The last turn in which something was due."""
        return get(TurnRow, keys.turn())

    def note(self, row: TurnRow) -> None:
        """Writes down that a turn has begun, or ended."""
        row.save()

    def get(self, kind: str, target: str) -> TimerRow | None:
        """The timer of a target."""
        return get(TimerRow, keys.timer(kind, target))

    def move(self, row: TimerRow, due_at: int, place: str, tries: int) -> bool:
        """Makes a timer due at another time; False when it is no longer the one that was read.

        The row that was given is then the one that stands there.
        """
        actions: list[Action] = [
            TimerRow.due_at.set(due_at),
            TimerRow.place.set(place),
            TimerRow.tries.set(tries),
            TimerRow.armed.set(ulid()),
        ]
        try:
            row.update(actions, condition=_is_still(row))
        except UpdateError as error:
            if error.cause_response_code != LOST:
                raise
            return False
        return True

    def end(self, row: TimerRow) -> bool:
        """Removes a timer whose work is done; False when it is no longer the one that was read."""
        try:
            row.delete(condition=_is_still(row))
        except DeleteError as error:
            if error.cause_response_code != LOST:
                raise
            return False
        return True


def _is_still(row: TimerRow) -> Condition:
    condition: Condition = TimerRow.armed == row.armed
    return condition

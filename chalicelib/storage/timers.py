"""Timers: work that is due at a time. They have no TTL: the job that finished one deletes it."""

from collections.abc import Iterator

from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import DeleteError, UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.domain.ids import ulid
from chalicelib.domain.timers import Due
from chalicelib.storage import keys
from chalicelib.storage.attributes import Integer
from chalicelib.storage.table import Row, get

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

    @property
    def work(self) -> Due:
        """What is to be done."""
        return Due(self.kind, self.target, self.due_at, self.place, self.tries)


def timer(kind: str, target: str, due_at: int) -> TimerRow:
    """The timer of a target; written again it is simply due at the new time, and its work begins anew."""
    due = keys.due(kind, target)
    return TimerRow.under(keys.timer(kind, target), kind=kind, target=target, due=due, due_at=due_at, armed=ulid())


class TimerStore:
    """Timers in the table."""

    def due(self, partition: str, now: int, limit: int) -> Iterator[TimerRow]:
        """What is due in a partition of the index, the oldest first. The index lags: some may be gone, or moved."""
        table = TimerRow._get_connection()
        condition = TimerRow.due_at <= now
        start = None
        while limit > 0:
            answer = table.connection.query(
                table.table_name,
                partition,
                condition,
                index_name="due",
                limit=limit,
                exclusive_start_key=start,
            )
            yield from (TimerRow.from_raw_data(raw) for raw in answer["Items"])
            limit -= len(answer["Items"])
            start = answer.get("LastEvaluatedKey")
            if not start:
                return

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

"""Timers: work that is due at a time. They have no TTL: the job that finished one deletes it."""

from pynamodb.attributes import UnicodeAttribute

from chalicelib.storage import keys
from chalicelib.storage.attributes import Integer
from chalicelib.storage.table import Row

GARBAGE, EXPIRY = "garbage", "expiry"


class TimerRow(Row):
    """One piece of due work, at most one per kind and target."""

    kind = UnicodeAttribute()
    target = UnicodeAttribute()
    due = UnicodeAttribute()
    due_at = Integer()


def timer(kind: str, target: str, due_at: int) -> TimerRow:
    """The timer of a target; written again it is simply due at the new time."""
    return TimerRow.under(keys.timer(kind, target), kind=kind, target=target, due=keys.due(kind, target), due_at=due_at)

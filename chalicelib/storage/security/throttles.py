"""Attempts at doors, as they are counted: a row for each door and window of time, which TTL removes."""

from collections.abc import Sequence

from pynamodb.exceptions import UpdateError

from chalicelib.storage import keys
from chalicelib.storage.attributes import Integer, OptionalInteger, OptionalNumber
from chalicelib.storage.table import Batch, Row


class ThrottleRow(Row):
    """Attempts in a window: those under way and those that failed. `closed_until` is in seconds since the epoch."""

    tries = Integer(default=0)
    closed_until = OptionalNumber()
    expires_at = OptionalInteger()


class ThrottleStore:
    """Throttles in the table."""

    def read(self, doors: Sequence[str]) -> list[ThrottleRow | None]:
        """What was counted at doors, in one read."""
        batch = Batch()
        reads = [batch.add(ThrottleRow, keys.throttle(door)) for door in doors]
        batch.read()
        return [read.row for read in reads]

    def enter(self, door: str, now: float, limit: int, until: int) -> ThrottleRow | None:
        """Counts an attempt, unless the door is closed or `limit` of them were counted; None then."""
        row = ThrottleRow.under(keys.throttle(door))
        is_open = ThrottleRow.closed_until.does_not_exist() | (ThrottleRow.closed_until <= now)
        has_room = ThrottleRow.tries.does_not_exist() | (ThrottleRow.tries < limit)
        try:
            row.update([ThrottleRow.tries.add(1), ThrottleRow.expires_at.set(until)], is_open & has_room)
        except UpdateError as error:
            if error.cause_response_code != "ConditionalCheckFailedException":
                raise
            return None
        return row

    def count(self, door: str, by: int, until: int) -> None:
        """Counts attempts at a door."""
        row = ThrottleRow.under(keys.throttle(door))
        row.update([ThrottleRow.tries.add(by), ThrottleRow.expires_at.set(until)])

    def open(self, door: str) -> None:
        """Forgets what was counted at a door."""
        row = ThrottleRow.under(keys.throttle(door))
        row.update([ThrottleRow.tries.set(0), ThrottleRow.closed_until.remove()])

    def close(self, door: str, closed_until: float) -> None:
        """Lets nobody through a door for a while."""
        row = ThrottleRow.under(keys.throttle(door))
        row.update([ThrottleRow.closed_until.set(closed_until)])

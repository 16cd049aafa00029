"""Counts attempts, such as failed sign-ins: one row for each throttle and window of time, which TTL removes."""

from collections.abc import Sequence

from pynamodb.exceptions import UpdateError

from chalicelib.storage import keys
from chalicelib.storage.attributes import Integer, OptionalInteger, OptionalNumber
from chalicelib.storage.table import Batch, Row


class ThrottleRow(Row):
    """The running and failed attempts of a window. `closed_until` is in seconds since the epoch."""

    tries = Integer(default=0)
    closed_until = OptionalNumber()
    expires_at = OptionalInteger()


class ThrottleStore:
    """The throttles in the table."""

    def read(self, throttles: Sequence[str]) -> list[ThrottleRow | None]:
        """Returns the rows of throttles, with one read; None where nothing was counted."""
        batch = Batch()
        reads = [batch.add(ThrottleRow, keys.throttle(throttle)) for throttle in throttles]
        batch.read()
        return [read.row for read in reads]

    def enter(self, throttle: str, now: float, limit: int, until: int) -> ThrottleRow | None:
        """Counts an attempt. Returns None if the throttle is closed or has counted `limit` attempts."""
        row = ThrottleRow.under(keys.throttle(throttle))
        is_open = ThrottleRow.closed_until.does_not_exist() | (ThrottleRow.closed_until <= now)
        has_room = ThrottleRow.tries.does_not_exist() | (ThrottleRow.tries < limit)
        try:
            row.update([ThrottleRow.tries.add(1), ThrottleRow.expires_at.set(until)], is_open & has_room)
        except UpdateError as error:
            if error.cause_response_code != "ConditionalCheckFailedException":
                raise
            return None
        return row

    def count(self, throttle: str, by: int, until: int) -> None:
        """Counts attempts."""
        row = ThrottleRow.under(keys.throttle(throttle))
        row.update([ThrottleRow.tries.add(by), ThrottleRow.expires_at.set(until)])

    def open(self, throttle: str) -> None:
        """Resets a throttle."""
        row = ThrottleRow.under(keys.throttle(throttle))
        row.update([ThrottleRow.tries.set(0), ThrottleRow.closed_until.remove()])

    def close(self, throttle: str, closed_until: float) -> None:
        """Refuses all attempts until `closed_until`."""
        row = ThrottleRow.under(keys.throttle(throttle))
        row.update([ThrottleRow.closed_until.set(closed_until)])

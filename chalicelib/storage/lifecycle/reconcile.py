"""Stores how far the search of the bucket for orphans has come."""

from pynamodb.attributes import UnicodeAttribute

from chalicelib.storage import keys
from chalicelib.storage.attributes import Integer
from chalicelib.storage.table import Row, get


class ReconcileRow(Row):
    """The progress of the search. `after` is the last S3 key that was examined, empty between rounds.

    Times are in seconds. The current round examines objects written before `bound`; earlier rounds examined all that
    were written before `seen_until`. `ended_at` is the end of the last round.
    """

    after = UnicodeAttribute(default="")
    ended_at = Integer(default=0)
    bound = Integer(default=0)
    seen_until = Integer(default=0)

    @property
    def is_under_way(self) -> bool:
        """Whether a round is running."""
        return bool(self.after)

    def begin(self, bound: int) -> None:
        """Begins a round over objects written before a second."""
        self.bound = bound

    def end(self, now: int) -> None:
        """Ends a round that reached the last key."""
        self.after, self.ended_at, self.seen_until = "", now, self.bound


class ReconcileStore:
    """The progress of the search in the table."""

    def place(self) -> ReconcileRow:
        """Returns the progress; an empty row if there was no round."""
        return get(ReconcileRow, keys.reconcile()) or ReconcileRow.under(keys.reconcile())

    def put(self, place: ReconcileRow) -> None:
        """Writes the progress. Two concurrent runs examine some keys twice and skip none."""
        place.save()

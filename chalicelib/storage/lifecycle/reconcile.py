"""How far the bucket has been looked through, as it is kept."""

from pynamodb.attributes import UnicodeAttribute

from chalicelib.storage import keys
from chalicelib.storage.attributes import Integer
from chalicelib.storage.table import Row, get


class ReconcileRow(Row):
    """The last S3 key that was looked at, empty between rounds; when the last round ended. Times are in seconds.

    This round looks at what was written before `bound`; those before it have seen all that was written before
    `seen_until`.
    """

    after = UnicodeAttribute(default="")
    ended_at = Integer(default=0)
    bound = Integer(default=0)
    seen_until = Integer(default=0)

    @property
    def is_under_way(self) -> bool:
        """Whether a round goes on."""
        return bool(self.after)

    def begin(self, bound: int) -> None:
        """Begins a round over what was written before a second."""
        self.bound = bound

    def end(self, now: int) -> None:
        """Ends a round that came to the last key."""
        self.after, self.ended_at, self.seen_until = "", now, self.bound


class ReconcileStore:
    """The place of the round, in the table."""

    def place(self) -> ReconcileRow:
        """How far the round is."""
        return get(ReconcileRow, keys.reconcile()) or ReconcileRow.under(keys.reconcile())

    def put(self, place: ReconcileRow) -> None:
        """Writes down how far the round is. Two runs at once look at some keys twice, at none too seldom."""
        place.save()

"""How far the bucket has been looked through, as it is kept."""

from pynamodb.attributes import UnicodeAttribute

from chalicelib.storage import keys
from chalicelib.storage.attributes import Integer
from chalicelib.storage.table import Row, get


class ReconcileRow(Row):
    """The last S3 key that was looked at, empty between rounds; when the last round ended, in seconds."""

    after = UnicodeAttribute(default="")
    ended_at = Integer(default=0)


class ReconcileStore:
    """The place of the round, in the table."""

    def place(self) -> ReconcileRow:
        """How far the round is."""
        return get(ReconcileRow, keys.reconcile()) or ReconcileRow.under(keys.reconcile())

    def put(self, place: ReconcileRow) -> None:
        """Writes down how far the round is. Two runs at once look at some keys twice, at none too seldom."""
        place.save()

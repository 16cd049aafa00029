"""Pulls of a repository as they are counted: a sum for each tag and each digest, and up to where the log is in them.

The sums grow with the cursor alone, in one transaction: whoever reads the cursor first and a sum afterwards knows where
that sum ends, by the later of both. They have no TTL; they go with their repository, those of a digest with it.
"""

from collections.abc import Iterable, Mapping

from pynamodb.attributes import UnicodeAttribute

from chalicelib.domain.pulls import Sum
from chalicelib.domain.states import RepositoryState
from chalicelib.storage import keys
from chalicelib.storage.attributes import Integer
from chalicelib.storage.registry.repositories import RepositoryRow
from chalicelib.storage.table import Batch, Row, Transaction, absent


class PullCursorRow(Row):
    """Up to which record of the log, its ULID, a repository's pulls are in the sums."""

    upto = UnicodeAttribute()


class PullSumRow(Row):
    """The pulls of a tag or a digest, when the last was, and the ULID at which the sum was last changed."""

    pulls = Integer()
    last_at = Integer()
    upto = UnicodeAttribute()

    @property
    def sum(self) -> Sum:
        """The sum."""
        return Sum(self.pulls, self.last_at)


class PullStore:
    """Counted pulls in the table."""

    def upto(self, repository_id: str) -> str | None:
        """Up to where a repository's pulls are counted, empty where none is; None where nothing is to be counted.

        That is so of one that is gone, or of which something may be gone.
        """
        batch = Batch()
        back = batch.add(RepositoryRow, keys.repository(repository_id))
        cursor = batch.add(PullCursorRow, keys.pulls_upto(repository_id))
        batch.read()
        if back.row is None or back.row.state == RepositoryState.PURGING:
            return None
        return cursor.row.upto if cursor.row else ""

    def sums(self, repository_id: str, references: Iterable[str]) -> dict[str, PullSumRow]:
        """The sums that there are of tags and digests."""
        batch = Batch()
        reads = {one: batch.add(PullSumRow, keys.pulls(repository_id, one)) for one in references}
        batch.read()
        return {one: read.row for one, read in reads.items() if read.row}

    def add(self, repository_id: str, cursor: tuple[str, str], more: Mapping[str, Sum]) -> None:
        """Adds to sums, and moves the cursor from one ULID to another. Raises WriteConflict when it is no longer there.

        The sums that are read are those that the cursor was read with, or it has moved.
        """
        before, upto = cursor
        found = self.sums(repository_id, more)
        transaction = Transaction()
        is_there = RepositoryRow.pk.exists() & (RepositoryRow.state != RepositoryState.PURGING)
        transaction.check(RepositoryRow, keys.repository(repository_id), is_there)
        is_same = PullCursorRow.upto == before if before else absent()
        transaction.put(PullCursorRow.under(keys.pulls_upto(repository_id), upto=upto), is_same)
        for reference, added in more.items():
            row = found.get(reference) or PullSumRow(pulls=0, last_at=0)
            row.pk, row.sk = keys.pulls(repository_id, reference)
            row.pulls, row.last_at, row.upto = row.pulls + added.pulls, max(row.last_at, added.last_at or 0), upto
            transaction.put(row)
        transaction.commit()

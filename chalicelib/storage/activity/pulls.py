"""Stores counted pulls: a sum for each tag and digest, and a cursor, the last log record that is counted.

One transaction changes sums and cursor. A reader that reads the cursor first and a sum afterwards knows where that sum
ends: at the later of the two. The rows have no TTL; they are removed with their repository or manifest.
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
    """The cursor: the ULID of the last log record that the sums of a repository contain."""

    upto = UnicodeAttribute()


class PullSumRow(Row):
    """The number of pulls of a tag or digest, the time of the last one, and the cursor of the last change."""

    pulls = Integer()
    last_at = Integer()
    upto = UnicodeAttribute()

    @property
    def sum(self) -> Sum:
        """The sum as a value of the domain."""
        return Sum(self.pulls, self.last_at)


class PullStore:
    """The counted pulls in the table."""

    def upto(self, repository_id: str) -> str | None:
        """Returns a repository's cursor, empty if nothing was counted; None once the repository's purge began."""
        batch = Batch()
        repository = batch.add(RepositoryRow, keys.repository(repository_id))
        cursor = batch.add(PullCursorRow, keys.pulls_upto(repository_id))
        batch.read()
        if repository.row is None or repository.row.state == RepositoryState.PURGING:
            return None
        return cursor.row.upto if cursor.row else ""

    def sums(self, repository_id: str, references: Iterable[str]) -> dict[str, PullSumRow]:
        """Returns the existing sums of tags and digests."""
        batch = Batch()
        reads = {reference: batch.add(PullSumRow, keys.pulls(repository_id, reference)) for reference in references}
        batch.read()
        return {reference: read.row for reference, read in reads.items() if read.row}

    def add(self, repository_id: str, cursor: tuple[str, str], more: Mapping[str, Sum]) -> None:
        """Adds to sums and moves the cursor from one ULID to another. Raises WriteConflict when the cursor changed.

        The condition on the cursor also proves that the sums did not change since they were read.
        """
        before, upto = cursor
        rows = self.sums(repository_id, more)
        transaction = Transaction()
        is_there = RepositoryRow.pk.exists() & (RepositoryRow.state != RepositoryState.PURGING)
        transaction.check(RepositoryRow, keys.repository(repository_id), is_there)
        is_same = PullCursorRow.upto == before if before else absent()
        transaction.put(PullCursorRow.under(keys.pulls_upto(repository_id), upto=upto), is_same)
        for reference, added in more.items():
            row = rows.get(reference) or PullSumRow(pulls=0, last_at=0)
            row.pk, row.sk = keys.pulls(repository_id, reference)
            row.pulls, row.last_at, row.upto = row.pulls + added.pulls, max(row.last_at, added.last_at or 0), upto
            transaction.put(row)
        transaction.commit()

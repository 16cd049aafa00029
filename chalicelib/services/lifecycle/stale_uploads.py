"""Leftovers: uploads that nobody finished, with the bytes that they brought."""

from chalicelib.storage.registry.uploads import UploadRow, UploadStatus
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction


class StaleUploads:
    """Uploads past their end."""

    def __init__(self, stores: Stores) -> None:
        self._store, self._blobs, self._objects = stores.uploads, stores.blobs, stores.objects
        self._clock = stores.clock

    def collect(self, upload_id: str) -> int | None:
        """Forgets an upload that no token can go on with, and its bytes but for those that became a blob.

        Gives the second at which to look again, None when nothing is left of it. Raises LostRace when it went on.
        """
        row = self._store.get(upload_id)
        if row is None:
            return None
        if row.until is not None and row.until > self._clock():
            return row.until
        if row.status not in (UploadStatus.LINKED, UploadStatus.CANCELLED):
            # From here on nobody can make a blob of it: who would, finds it cancelled.
            row.status = UploadStatus.CANCELLED
            transaction = Transaction()
            self._store.put(transaction, row, row.version)
            transaction.commit()
        if row.multipart_id and row.s3_key:
            self._objects.abort_parts(row.s3_key, row.multipart_id)
        self._objects.delete_all(sorted(self._unnamed(row)))
        self._store.remove(row)
        return None

    def _unnamed(self, row: UploadRow) -> set[str]:
        """The upload's keys, but for the one that its blob has."""
        blob = self._blobs.get(row.digest) if row.digest else None
        return {key for key in (row.s3_key, row.tail_key) if key} - ({blob.s3_key} if blob else set())

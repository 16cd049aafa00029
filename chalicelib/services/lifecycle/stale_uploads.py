"""Removes unfinished uploads and their bytes."""

from chalicelib.storage.registry.uploads import UploadRow, UploadStatus
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction


class StaleUploads:
    """Removes uploads that have expired."""

    def __init__(self, stores: Stores) -> None:
        self._store, self._blobs, self._objects = stores.uploads, stores.blobs, stores.objects
        self._clock = stores.clock

    def collect(self, upload_id: str) -> int | None:
        """Removes an upload that no token can continue, and its bytes, except those that became a blob.

        Returns the second at which to look again, None if nothing is left. Raises WriteConflict if it was continued.
        """
        row = self._store.get(upload_id)
        if row is None:
            return None
        if row.until is not None and row.until > self._clock():
            return row.until
        if row.status not in (UploadStatus.LINKED, UploadStatus.CANCELLED):
            # A client that completes the upload from now on finds it cancelled.
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
        """Returns the S3 keys of the upload, except the one that its blob names."""
        blob = self._blobs.get(row.digest) if row.digest else None
        return {key for key in (row.s3_key, row.tail_key) if key} - ({blob.s3_key} if blob else set())

"""What a relay is granted: addresses in S3 to put the parts of an upload under, and a word about what it has put there.

The relay holds the installation's relay key and hashes what passes through it, so its hash is believed like our own.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain.errors import BlobUploadUnknown, OutOfOrder
from chalicelib.domain.ids import ulid
from chalicelib.services.registry.uploads import UploadProgress, Uploads
from chalicelib.services.security.upload_tokens import UploadTokens
from chalicelib.storage import bucket_keys
from chalicelib.storage.registry.uploads import UploadRow, UploadStatus
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, WriteConflict

# How long a presigned address of a part stays good, in seconds: a part of 16 MB at 40 KB/s.
ADDRESS_S = 600
LARGEST_GRANT = 32


@dataclass(frozen=True, slots=True)
class UploadedPart:
    """A part that a relay has put. `size` is in bytes."""

    number: int
    etag: str
    size: int


class Relays:
    """Uploads whose bytes a relay brings to S3."""

    def __init__(self, stores: Stores, uploads: Uploads, tokens: UploadTokens) -> None:
        self._uploads, self._tokens, self._store, self._objects = uploads, tokens, stores.uploads, stores.objects

    def grant(self, text: str, first: int, count: int) -> dict[str, object]:
        """Addresses for `count` parts from number `first` on (0: the next), and where the upload stands.

        The upload's token is right enough: a body may take longer to come than its pusher's token lives. Raises
        BlobUploadUnknown for an upload that is closed: a closed upload gets no grant.
        """
        token = self._tokens.verify(text)
        row = self._store.get(token.upload_id)
        if row is not None and row.status != UploadStatus.OPEN:
            raise BlobUploadUnknown
        is_new = row is None
        row = row or self._uploads.new_row(token)
        self._uploads.prepare_parts(row, is_new=is_new)
        start = first or row.parts + 1
        tail_key = bucket_keys.incoming(row.repository_id, ulid())
        return {
            "upload": self._tokens.granted(token),
            "offset": row.offset,
            "algorithm": row.algorithm,
            "state": base64.b64encode(row.hash_state or b"").decode("ascii"),
            "tail": self._objects.address("get_object", row.tail_key, ADDRESS_S) if row.tail_key else None,
            "tail_key": tail_key,
            "tail_address": self._objects.address("put_object", tail_key, ADDRESS_S),
            "parts": [
                {"number": number, "address": self._part_address(row.s3_key, row.multipart_id, number)}
                for number in range(start, start + min(count, LARGEST_GRANT))
            ],
        }

    def _part_address(self, s3_key: str | None, multipart_id: str | None, number: int) -> str:
        return self._objects.address("upload_part", s3_key or "", ADDRESS_S, UploadId=multipart_id, PartNumber=number)

    def store(
        self,
        text: str,
        before: int,
        after: int,
        state: bytes,
        parts: Sequence[UploadedPart],
        tail: tuple[str, int] | None,
    ) -> UploadProgress:
        """Writes down what a relay has put: the upload goes from `before` to `after` bytes, which hash to `state`.

        `tail` is key and size of bytes that are too few for a part. Raises OutOfOrder when the upload moved meanwhile.
        """
        token = self._tokens.verify(text)
        row = self._store.get(token.upload_id)
        if row is None or row.status != UploadStatus.OPEN:
            raise BlobUploadUnknown
        if row.offset != before:
            raise OutOfOrder(row.offset)
        old_tail = row.tail_key
        row.offset, row.hash_state, row.other_state = after, state, None
        row.parts = max([row.parts, *(part.number for part in parts)])
        row.tail_key, row.tail_size = tail or (None, 0)
        # A transaction holds 100 items: parts that do not fit beside the upload go before it, where nobody reads them.
        for start in range(0, len(parts), 90):
            transaction = Transaction()
            for part in parts[start : start + 90]:
                self._store.put_part(transaction, row, part.number, part.etag, part.size)
            if start + 90 < len(parts):
                transaction.commit()
            else:
                self._commit(row, transaction)
        if not parts:
            self._commit(row)
        if old_tail and old_tail != row.tail_key:
            self._objects.delete(old_tail)
        return UploadProgress(self._tokens.granted(token), token.upload_id, after)

    def _commit(self, row: UploadRow, transaction: Transaction | None = None) -> None:
        try:
            self._uploads.keep(row, is_new=False, transaction=transaction)
        except WriteConflict:
            stored = self._store.get(row.upload_id)
            raise OutOfOrder(stored.offset if stored else 0) from None

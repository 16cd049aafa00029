"""Uploads through a relay: it gets presigned addresses for parts in S3, and reports which parts it has put there.

The relay holds the installation's relay key and hashes what passes through it, so its hash is trusted like our own.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain.errors import BlobUploadUnknown, OutOfOrder
from chalicelib.domain.ids import ulid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor
from chalicelib.services.registry.uploads import UploadProgress, Uploads
from chalicelib.services.security.upload_tokens import UploadTokens
from chalicelib.storage import bucket_keys
from chalicelib.storage.registry.uploads import UploadRow, UploadStatus
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, WriteConflict

# The seconds for which the address of a part is valid: a part of 16 MB at 40 KB/s.
ADDRESS_S = 600
MOST_ADDRESSES = 32


@dataclass(frozen=True, slots=True)
class UploadedPart:
    """A part that a relay has put. `size` is in bytes."""

    number: int
    etag: str
    size: int


@dataclass(frozen=True, slots=True)
class PartsReport:
    """What a relay has put: the upload goes from `before` to `after` bytes, which hash to `state`.

    `tail` is the key and the size of bytes that are too few for a part.
    """

    before: int
    after: int
    state: bytes
    parts: Sequence[UploadedPart]
    tail: tuple[str, int] | None = None


class Relays:
    """Uploads whose bytes a relay sends to S3."""

    def __init__(self, stores: Stores, uploads: Uploads, tokens: UploadTokens) -> None:
        self._uploads, self._tokens, self._store, self._objects = uploads, tokens, stores.uploads, stores.objects

    def presign_first(self, actor: Actor, name: RepositoryName, text: str, count: int) -> dict[str, object]:
        """Returns addresses for the first parts of a body, if the actor may push now, and the upload's `room`.

        That is how many bytes it may have, None without a limit; `location_offset` is how many it had when its
        `Location` was issued. Raises Unauthenticated, Denied, NameUnknown, BlobUploadUnknown, QuotaExceeded.
        """
        repository, token = self._uploads.opening.for_bytes(actor, name, text)
        _, room = self._uploads.opening.row_with_room(actor, repository, token)
        return self.presign(text, 0, count) | {"room": room, "location_offset": token.offset}

    def presign(self, text: str, first: int, count: int) -> dict[str, object]:
        """Returns addresses for `count` parts from number `first` on (0: the next), and how far the upload is.

        The upload's token is enough: a body may take longer than the life of its pusher's token. Raises
        BlobUploadUnknown for a closed upload.
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
            "upload": self._tokens.presigned(token, row.offset),
            "offset": row.offset,
            "algorithm": row.algorithm,
            "state": base64.b64encode(row.hash_state or b"").decode("ascii"),
            "tail": self._objects.address("get_object", row.tail_key, ADDRESS_S) if row.tail_key else None,
            "tail_key": tail_key,
            "tail_address": self._objects.address("put_object", tail_key, ADDRESS_S),
            "parts": [
                {"number": number, "address": self._part_address(row.s3_key, row.multipart_id, number)}
                for number in range(start, start + min(count, MOST_ADDRESSES))
            ],
        }

    def _part_address(self, s3_key: str | None, multipart_id: str | None, number: int) -> str:
        return self._objects.address("upload_part", s3_key or "", ADDRESS_S, UploadId=multipart_id, PartNumber=number)

    def store(self, text: str, report: PartsReport) -> UploadProgress:
        """Writes what a relay has put. Raises BlobUploadUnknown, and OutOfOrder if the upload moved meanwhile."""
        token = self._tokens.verify(text)
        row = self._store.get(token.upload_id)
        if row is None or row.status != UploadStatus.OPEN:
            raise BlobUploadUnknown
        if row.offset != report.before:
            raise OutOfOrder(row.offset)
        old_tail, parts = row.tail_key, report.parts
        row.offset, row.hash_state, row.other_state = report.after, report.state, None
        row.parts = max([row.parts, *(part.number for part in parts)])
        row.tail_key, row.tail_size = report.tail or (None, 0)
        # A transaction holds 100 items: parts that do not fit are written before the upload, where nobody reads them.
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
        return UploadProgress(self._tokens.presigned(token, report.after), token.upload_id, report.after)

    def _commit(self, row: UploadRow, transaction: Transaction | None = None) -> None:
        try:
            self._uploads.keep(row, is_new=False, transaction=transaction)
        except WriteConflict:
            stored = self._store.get(row.upload_id)
            raise OutOfOrder(stored.offset if stored else 0) from None

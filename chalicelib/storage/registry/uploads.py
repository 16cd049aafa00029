"""Stores uploads and their parts."""

from collections.abc import Sequence
from enum import StrEnum

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import Condition

from chalicelib.domain.timers import GARBAGE
from chalicelib.storage import keys
from chalicelib.storage.attributes import (
    EnumText,
    Integer,
    OptionalBytes,
    OptionalDigest,
    OptionalInteger,
    OptionalText,
)
from chalicelib.storage.objects import ObjectGone
from chalicelib.storage.table import Row, Transaction, absent, get, put_all, query, remove_all
from chalicelib.storage.timers import timer

# In seconds. TTL removes an upload's row so long after its end, when its timer has surely removed it.
SPARE_S = 7 * 86400


class UploadStatus(StrEnum):
    """The state of an upload.

    Open: bytes come through the registry or the relay. Presigned: they go straight to S3. Hashing: their digest is
    being verified. Closed: the digest is verified, the bytes may still be in parts. Linked: they are a blob.
    """

    OPEN = "open"
    # Stored rows have this word.
    PRESIGNED = "granted"
    HASHING = "hashing"
    CLOSED = "closed"
    LINKED = "linked"
    CANCELLED = "cancelled"


class UploadRow(Row):
    """An upload. `offset` counts its bytes, `tail_key` has the last ones, which are not yet an S3 part.

    `hash_state` is the state of the hash by `algorithm`, `other_state` that of the other algorithm, which the relay
    does not keep. `version` counts the writes.
    """

    repository_id = UnicodeAttribute()
    status = EnumText(UploadStatus, default=UploadStatus.OPEN)
    algorithm = UnicodeAttribute()
    offset = Integer(default=0)
    hash_state = OptionalBytes()
    other_state = OptionalBytes()
    s3_key = OptionalText()
    multipart_id = OptionalText()
    parts = Integer(default=0)
    tail_key = OptionalText()
    tail_size = Integer(default=0)
    digest = OptionalDigest()
    version = Integer(default=0)
    # The last second at which any of its tokens is valid. Its timer is due then; TTL follows later.
    until = OptionalInteger()
    expires_at = OptionalInteger()

    @property
    def upload_id(self) -> str:
        """The id of the upload."""
        return keys.upload_id(self.pk)


class PartRow(Row):
    """A part that S3 has stored."""

    number = Integer()
    etag = UnicodeAttribute()
    size = Integer()
    expires_at = OptionalInteger()


class UploadStore:
    """The uploads in the table."""

    def get(self, upload_id: str) -> UploadRow | None:
        """Returns an upload by its id."""
        return get(UploadRow, keys.upload(upload_id))

    def put(self, transaction: Transaction, row: UploadRow, stored_version: int | None) -> None:
        """Writes an upload if it has the version that was read; None for a new one."""
        row.version = 0 if stored_version is None else stored_version + 1
        transaction.put(row, _unchanged(stored_version))

    def linked(self, row: UploadRow, s3_key: str) -> UploadRow:
        """Returns a copy of a closed upload's row, as linked to a blob under an S3 key."""
        linked = UploadRow.from_raw_data(row.serialize())
        linked.status, linked.s3_key, linked.tail_key, linked.tail_size = UploadStatus.LINKED, s3_key, None, 0
        return linked

    def keep(self, transaction: Transaction, row: UploadRow, until: int) -> None:
        """Keeps a row until a second, at which a timer has the collector remove what is left of it."""
        row.until, row.expires_at = until, until + SPARE_S
        transaction.put(timer(GARBAGE, keys.upload_target(row.upload_id), until))

    def remove(self, row: UploadRow) -> None:
        """Removes an upload with its parts. Does nothing if it does not exist."""
        remove_all([part.key for part in self.parts(row.upload_id)])
        remove_all([row.key])

    def put_part(self, transaction: Transaction, upload: UploadRow, number: int, etag: str, size: int) -> None:
        """Writes a part that S3 has acknowledged."""
        key = keys.part(upload.upload_id, number)
        transaction.put(PartRow.under(key, number=number, etag=etag, size=size, expires_at=upload.expires_at))

    def put_parts(self, upload: UploadRow, parts: Sequence[tuple[int, str]]) -> None:
        """Writes parts, given as number and ETag, of an upload that is not closed."""
        identifier, until = upload.upload_id, upload.expires_at
        put_all(
            PartRow.under(keys.part(identifier, number), number=number, etag=etag, size=0, expires_at=until)
            for number, etag in parts
        )

    def parts(self, upload_id: str) -> list[PartRow]:
        """Returns the parts of an upload, in order."""
        return list(query(PartRow, keys.part(upload_id)))

    def whole(self, row: UploadRow) -> list[tuple[int, str]]:
        """Returns number and ETag of each part, in order.

        Raises ObjectGone if one is missing, as TTL removes parts of an upload that takes more than a week.
        """
        parts = self.parts(row.upload_id)
        if row.parts and sum(part.size for part in parts) + row.tail_size != row.offset:
            raise ObjectGone(row.s3_key or "")
        return [(part.number, part.etag) for part in parts]


def _unchanged(version: int | None) -> Condition:
    return absent() if version is None else UploadRow.version == version

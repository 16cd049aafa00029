"""Uploads that came in pieces, as they are kept."""

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

# How long after its last second TTL may take an upload's row, in seconds: long after its timer has been served.
SPARE_S = 7 * 86400


class UploadStatus(StrEnum):
    """How far an upload is.

    Open: bytes come through the registry or its relay. Presigned: they go straight to S3. Hashing: the registry hashes
    them. Closed: digest and key are proven and written; the bytes may still lie in parts. Linked: they are a blob.
    """

    OPEN = "open"
    # Stored rows have this word.
    PRESIGNED = "granted"
    HASHING = "hashing"
    CLOSED = "closed"
    LINKED = "linked"
    CANCELLED = "cancelled"


class UploadRow(Row):
    """An upload. `offset` counts bytes, `tail_key` holds the last, that are no S3 part yet; `version` counts writes.

    `hash_state` is what the bytes hash to in `algorithm`, `other_state` in the other one; a relay keeps only the first.
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
    # The last second at which any token of it is good. Its timer, which nothing loses, is due then; TTL comes after it.
    until = OptionalInteger()
    expires_at = OptionalInteger()

    @property
    def upload_id(self) -> str:
        """The upload that the row is of."""
        return keys.upload_id(self.pk)


class PartRow(Row):
    """A part that S3 has."""

    number = Integer()
    etag = UnicodeAttribute()
    size = Integer()
    expires_at = OptionalInteger()


class UploadStore:
    """Uploads in the table."""

    def get(self, upload_id: str) -> UploadRow | None:
        """An upload that has begun."""
        return get(UploadRow, keys.upload(upload_id))

    def put(self, transaction: Transaction, row: UploadRow, stored_version: int | None) -> None:
        """Writes an upload over the version that was read; None when there was none."""
        row.version = 0 if stored_version is None else stored_version + 1
        transaction.put(row, _unchanged(stored_version))

    def linked(self, row: UploadRow, s3_key: str) -> UploadRow:
        """A closed upload's row as it stands once its bytes are a blob under a key."""
        linked = UploadRow.from_raw_data(row.serialize())
        linked.status, linked.s3_key, linked.tail_key, linked.tail_size = UploadStatus.LINKED, s3_key, None, 0
        return linked

    def keep(self, transaction: Transaction, row: UploadRow, until: int) -> None:
        """Has a row stay until a second, at which a timer wakes the collector for what is left of it."""
        row.until, row.expires_at = until, until + SPARE_S
        transaction.put(timer(GARBAGE, keys.upload_target(row.upload_id), until))

    def remove(self, row: UploadRow) -> None:
        """Removes an upload with its parts; done again, it changes nothing."""
        remove_all([part.key for part in self.parts(row.upload_id)])
        remove_all([row.key])

    def put_part(self, transaction: Transaction, upload: UploadRow, number: int, etag: str, size: int) -> None:
        """Writes down a part that S3 has acknowledged."""
        key = keys.part(upload.upload_id, number)
        transaction.put(PartRow.under(key, number=number, etag=etag, size=size, expires_at=upload.expires_at))

    def put_parts(self, upload: UploadRow, parts: Sequence[tuple[int, str]]) -> None:
        """Writes down parts, by number and ETag, of an upload that nobody has closed yet."""
        identifier, until = upload.upload_id, upload.expires_at
        put_all(
            PartRow.under(keys.part(identifier, number), number=number, etag=etag, size=0, expires_at=until)
            for number, etag in parts
        )

    def parts(self, upload_id: str) -> list[PartRow]:
        """The parts in order."""
        return list(query(PartRow, keys.part(upload_id)))

    def whole(self, row: UploadRow) -> list[tuple[int, str]]:
        """Number and ETag of each part that its writer counted, in order.

        Raises Gone where one is missing: TTL takes those of an upload that goes on for more than a week.
        """
        found = self.parts(row.upload_id)
        if row.parts and sum(part.size for part in found) + row.tail_size != row.offset:
            raise ObjectGone(row.s3_key or "")
        return [(part.number, part.etag) for part in found]


def _unchanged(version: int | None) -> Condition:
    return absent() if version is None else UploadRow.version == version

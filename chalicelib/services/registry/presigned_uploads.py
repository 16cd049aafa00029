"""Presigned uploads by pushers without the relay key: a relay beside a CI job, or `relay push`.

Their word about the bytes is not trusted. Up to 5 GB, S3 verifies the checksum that the address was signed with; above
that, and for sha512, the object is hashed here before it becomes visible: for some seconds in each request to complete.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain import hashing
from chalicelib.domain.browsers import CONTENT_TYPE
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobUploadInvalid, BlobUploadUnknown, DigestInvalid, OutOfOrder, SizeInvalid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor
from chalicelib.domain.uploads import LARGEST_OBJECT, LARGEST_PUT, MEBIBYTE
from chalicelib.services.registry.blobs import Blobs
from chalicelib.services.registry.uploads import Uploads
from chalicelib.services.security.upload_tokens import UploadTokens
from chalicelib.storage import bucket_keys
from chalicelib.storage.objects import ObjectGone
from chalicelib.storage.registry.uploads import UploadRow, UploadStatus
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import WriteConflict

# The seconds for which an address is valid, and for which one request hashes.
ADDRESS_S, HASHING_S = 3600, 12
SMALLEST_PART, MOST_PARTS, MOST_ADDRESSES = 64 * MEBIBYTE, 9000, 32
LARGEST_ETAG = 100
READ_BYTES = 8 * MEBIBYTE


@dataclass(frozen=True, slots=True)
class BlobSize:
    """The blob that a pusher wants to upload. `size` is in bytes."""

    digest: Digest
    size: int

    def check(self) -> None:
        """Raises BlobUploadInvalid for a size that no blob can have."""
        if not 0 <= self.size <= LARGEST_OBJECT:
            raise BlobUploadInvalid(f"size is {self.size}: a blob has 0 to {LARGEST_OBJECT} bytes")

    @property
    def is_one_put(self) -> bool:
        """Whether S3 can take and verify the blob in one PUT."""
        return self.digest.algorithm == "sha256" and self.size <= LARGEST_PUT

    @property
    def part_size(self) -> int:
        """Bytes of each part but the last, so many that S3 can join all parts."""
        return max(SMALLEST_PART, -(-self.size // MOST_PARTS // MEBIBYTE) * MEBIBYTE)

    @property
    def part_count(self) -> int:
        """The number of parts: at least one."""
        return max(1, -(-self.size // self.part_size))


class PresignedUploads:
    """Presigns addresses for bytes, and verifies the bytes afterwards. `hashing_s` is how long one request hashes."""

    def __init__(
        self, stores: Stores, uploads: Uploads, tokens: UploadTokens, blobs: Blobs, hashing_s: float = HASHING_S
    ) -> None:
        self._uploads, self._tokens, self._blobs = uploads, tokens, blobs
        self._store, self._objects = stores.uploads, stores.objects
        self._hashing_s, self._clock = hashing_s, stores.clock

    def presign(self, actor: Actor, name: RepositoryName, text: str, blob: BlobSize, first: int) -> dict[str, object]:
        """Returns the address for a whole blob with its checksum, or those of its parts from number `first` on.

        Raises Unauthenticated, Denied, BlobUploadUnknown, BlobUploadInvalid, QuotaExceeded.
        """
        repository, token = self._uploads.opening.for_bytes(actor, name, text, blob.digest)
        blob.check()
        row, _ = self._uploads.opening.row_with_room(actor, repository, token, (blob.digest, blob.size))
        # An upload that began in another way has bytes that are proven already: none of those may be replaced.
        if row is not None and row.status != UploadStatus.PRESIGNED:
            raise BlobUploadUnknown
        following = self._tokens.presigned(token, 0)
        if not 1 <= first <= blob.part_count:
            raise BlobUploadInvalid(f"first is {first}: the parts have the numbers 1 to {blob.part_count}")
        if blob.is_one_put:
            s3_key = bucket_keys.edge_prefix(repository.id, blob.digest) + token.upload_id
            signed = {"ChecksumSHA256": blob.digest.base64, "ContentType": CONTENT_TYPE}
            address = self._objects.address("put_object", s3_key, ADDRESS_S, **signed)
            headers = {"Content-Type": CONTENT_TYPE, "x-amz-checksum-sha256": blob.digest.base64}
            return {"way": "put", "address": address, "headers": headers, "upload": following}
        is_new = row is None
        row = row or self._uploads.new_row(token)
        row.status = UploadStatus.PRESIGNED
        self._uploads.prepare_parts(row, is_new=is_new)
        numbers = range(first, min(first + MOST_ADDRESSES, blob.part_count + 1))
        return {
            "way": "parts",
            "upload": following,
            "part_size": blob.part_size,
            "parts": [{"number": number, "address": self._part_address(row, number)} for number in numbers],
        }

    def _part_address(self, row: UploadRow, number: int) -> str:
        part = {"UploadId": row.multipart_id, "PartNumber": number}
        return self._objects.address("upload_part", row.s3_key or "", ADDRESS_S, **part)

    def complete(
        self, actor: Actor, name: RepositoryName, text: str, blob: BlobSize, parts: Sequence[tuple[int, str]]
    ) -> int | None:
        """Makes the bytes in S3 the blob; returns None once it is visible, else the number of bytes hashed so far.

        `parts` are numbers and ETags. Raises BlobUploadInvalid if nothing was put, SizeInvalid, DigestInvalid,
        BlobUploadUnknown, and Denied if the actor may no longer push.
        """
        repository, token = self._uploads.opening.for_bytes(actor, name, text, blob.digest)
        blob.check()
        digest = blob.digest
        if blob.is_one_put:
            if not self._blobs.adopt_presigned(actor, repository, digest, token.upload_id):
                raise BlobUploadInvalid(f"nothing of {digest} was put under the presigned address")
            return None
        row = self._uploads.opening.row(actor, repository, token)
        if row is None or row.status in (UploadStatus.OPEN, UploadStatus.CANCELLED) or row.digest not in (None, digest):
            raise BlobUploadUnknown
        if row.status == UploadStatus.PRESIGNED:
            self._begin_hashing(row, digest, parts)
        if row.status == UploadStatus.HASHING and not self._verify(row, blob, parts):
            return row.offset
        self._uploads.finish(actor, repository, row, digest)
        return None

    def _verify(self, row: UploadRow, blob: BlobSize, parts: Sequence[tuple[int, str]]) -> bool:
        """Joins the parts and hashes on; closes the upload and returns True once all bytes have the digest."""
        try:
            self._objects.finish_parts(row.s3_key or "", row.multipart_id or "", parts)
        except ObjectGone:
            raise BlobUploadUnknown from None
        if not self._hash_on(row, blob.size):
            return False
        if hashing.resume(row.algorithm, row.hash_state or b"").hexdigest() != blob.digest.hex:
            self._refuse(row, blob.digest)
        row.status = UploadStatus.CLOSED
        self._commit(row)
        return True

    def _begin_hashing(self, row: UploadRow, digest: Digest, parts: Sequence[tuple[int, str]]) -> None:
        """Writes the blob's digest and the parts, before they are joined and hashed."""
        is_valid = all(
            1 <= number <= MOST_PARTS and etag.isascii() and len(etag) <= LARGEST_ETAG for number, etag in parts
        )
        if not parts or not is_valid:
            raise BlobUploadInvalid("say the number and the ETag of every part")
        self._store.put_parts(row, parts)
        row.status, row.digest, row.algorithm, row.offset = UploadStatus.HASHING, digest, digest.algorithm, 0
        row.hash_state, row.other_state = hashing.begin(digest.algorithm).state(), None
        self._commit(row)

    def _hash_on(self, row: UploadRow, size: int) -> bool:
        """Hashes from where the last request stopped; returns whether all bytes are hashed. Raises SizeInvalid."""
        stored_size = self._objects.size(row.s3_key or "")
        if stored_size != size:
            raise SizeInvalid(size, stored_size)
        hasher, deadline = hashing.resume(row.algorithm, row.hash_state or b""), self._clock() + self._hashing_s
        while hasher.count < size and self._clock() < deadline:
            last = min(hasher.count + READ_BYTES, size) - 1
            hasher.update(self._objects.get_range(row.s3_key or "", hasher.count, last))
        row.offset, row.hash_state = hasher.count, hasher.state()
        self._commit(row)
        return hasher.count == size

    def _refuse(self, row: UploadRow, digest: Digest) -> None:
        received = hashing.resume(row.algorithm, row.hash_state or b"").hexdigest()
        row.status = UploadStatus.CANCELLED
        self._commit(row)
        self._objects.delete(row.s3_key or "")
        raise DigestInvalid(str(digest), f"the {row.offset} bytes that came have {row.algorithm}:{received}")

    def _commit(self, row: UploadRow) -> None:
        try:
            self._uploads.keep(row, is_new=False)
        except WriteConflict:
            raise OutOfOrder(row.offset) from None

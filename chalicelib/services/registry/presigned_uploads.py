"""Uploads that somebody without any key of ours brings to S3: a relay beside a CI job, a push program.

What they say about the bytes is no proof. Up to 5 GB S3 itself verifies the checksum that the address was signed with;
above, and for sha512, the object is hashed here before it becomes visible, some seconds a request, as the pusher asks.
"""

from collections.abc import Sequence

from chalicelib.domain import hashing
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

# How long an address stays good, and how long one request hashes, in seconds.
ADDRESS_S, HASHING_S = 3600, 12
SMALLEST_GRANTED, MOST_PARTS, ADDRESSES = 64 * MEBIBYTE, 9000, 32
LARGEST_ETAG = 100
READ_BYTES = 8 * MEBIBYTE


class PresignedUploads:
    """Addresses to put bytes under, and the proof afterwards. `hashing_s` is how long one request hashes."""

    def __init__(
        self, stores: Stores, uploads: Uploads, tokens: UploadTokens, blobs: Blobs, hashing_s: float = HASHING_S
    ) -> None:
        self._uploads, self._tokens, self._blobs = uploads, tokens, blobs
        self._store, self._objects = stores.uploads, stores.objects
        self._hashing_s, self._clock = hashing_s, stores.clock

    def grant(
        self, actor: Actor, name: RepositoryName, text: str, digest: Digest, size: int, first: int
    ) -> dict[str, object]:
        """Where to put a blob of `size` bytes: one address with its checksum, or those of parts from number `first` on.

        Raises Unauthenticated, BlobUploadUnknown, BlobUploadInvalid.
        """
        repository, token = self._uploads.opened(actor, name, text)
        _check_size(size)
        row = self._store.get(token.upload_id)
        # What has begun to come another way has bytes that are proven already: none of those may be replaced.
        if row is not None and row.status != UploadStatus.GRANTED:
            raise BlobUploadUnknown
        following = self._tokens.granted(token)
        if not 1 <= first <= _part_count(size):
            raise BlobUploadInvalid(f"first is {first}: the parts have the numbers 1 to {_part_count(size)}")
        if _in_one_put(digest, size):
            s3_key = bucket_keys.edge_prefix(repository.id, digest) + token.upload_id
            address = self._objects.address("put_object", s3_key, ADDRESS_S, ChecksumSHA256=digest.base64)
            headers = {"x-amz-checksum-sha256": digest.base64}
            return {"way": "put", "address": address, "headers": headers, "upload": following}
        is_new = row is None
        row = row or self._uploads.new_row(token)
        row.status = UploadStatus.GRANTED
        self._uploads.prepare_parts(row, is_new=is_new)
        numbers = range(first, min(first + ADDRESSES, _part_count(size) + 1))
        return {
            "way": "parts",
            "upload": following,
            "part_size": _part_size(size),
            "parts": [{"number": number, "address": self._part_address(row, number)} for number in numbers],
        }

    def _part_address(self, row: UploadRow, number: int) -> str:
        where = {"UploadId": row.multipart_id, "PartNumber": number}
        return self._objects.address("upload_part", row.s3_key or "", ADDRESS_S, **where)

    def complete(
        self,
        actor: Actor,
        name: RepositoryName,
        text: str,
        digest: Digest,
        size: int,
        parts: Sequence[tuple[int, str]],
    ) -> int | None:
        """Makes what was put the blob of that digest; None when it is visible, else how many bytes are hashed so far.

        Raises BlobUploadInvalid when nothing was put, SizeInvalid, DigestInvalid, BlobUploadUnknown.
        """
        repository, token = self._uploads.opened(actor, name, text)
        _check_size(size)
        if _in_one_put(digest, size):
            if not self._blobs.adopt_granted(actor, repository, digest):
                raise BlobUploadInvalid(f"nothing of {digest} was put under the address that was granted")
            return None
        row = self._store.get(token.upload_id)
        if row is None or row.status in (UploadStatus.OPEN, UploadStatus.CANCELLED) or row.digest not in (None, digest):
            raise BlobUploadUnknown
        if row.status == UploadStatus.GRANTED:
            self._begin_hashing(row, digest, parts)
        if row.status == UploadStatus.HASHING and not self._proven(row, digest, size, parts):
            return row.offset
        self._uploads.finish(actor, repository, row, digest)
        return None

    def _proven(self, row: UploadRow, digest: Digest, size: int, parts: Sequence[tuple[int, str]]) -> bool:
        """Joins and hashes on; once all bytes are hashed and have the digest, closes the upload."""
        try:
            self._objects.finish_parts(row.s3_key or "", row.multipart_id or "", parts)
        except ObjectGone:
            raise BlobUploadUnknown from None
        if not self._hashed(row, size):
            return False
        if hashing.resume(row.algorithm, row.hash_state or b"").hexdigest() != digest.hex:
            self._refuse(row, digest)
        row.status = UploadStatus.CLOSED
        self._commit(row)
        return True

    def _begin_hashing(self, row: UploadRow, digest: Digest, parts: Sequence[tuple[int, str]]) -> None:
        """Writes down what the upload shall become, with its parts, before they are joined and hashed."""
        fits = all(1 <= number <= MOST_PARTS and etag.isascii() and len(etag) <= LARGEST_ETAG for number, etag in parts)
        if not parts or not fits:
            raise BlobUploadInvalid("say the number and the ETag of every part")
        self._store.put_parts(row, parts)
        row.status, row.digest, row.algorithm, row.offset = UploadStatus.HASHING, digest, digest.algorithm, 0
        row.hash_state, row.other_state = hashing.begin(digest.algorithm).state(), None
        self._commit(row)

    def _hashed(self, row: UploadRow, size: int) -> bool:
        """Hashes on from where the last request stopped; whether all is hashed."""
        stored = self._objects.size(row.s3_key or "")
        if stored != size:
            raise SizeInvalid(size, stored)
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


def _check_size(size: int) -> None:
    if not 0 <= size <= LARGEST_OBJECT:
        raise BlobUploadInvalid(f"size is {size}: a blob has 0 to {LARGEST_OBJECT} bytes")


def _in_one_put(digest: Digest, size: int) -> bool:
    return digest.algorithm == "sha256" and size <= LARGEST_PUT


def _part_size(size: int) -> int:
    """Bytes of a part, all but the last: as many as keep their number within what S3 joins."""
    return max(SMALLEST_GRANTED, -(-size // MOST_PARTS // MEBIBYTE) * MEBIBYTE)


def _part_count(size: int) -> int:
    return max(1, -(-size // _part_size(size)))

"""Direct uploads: objects that the upload edge, or a pusher with a presigned address, wrote to S3.

S3 does not notify the registry, so it looks for them by repository and digest, and adopts them in place (blobs.py). An
object counts once its bytes have the digest: S3 verifies that during the upload, or, if the upload edge could not send
a checksum (`staging`), during the copy to the blobs' prefix. A fence is written before a key is removed.
"""

import hashlib
from collections.abc import Mapping

from chalicelib.domain.digests import Digest
from chalicelib.storage import bucket_keys
from chalicelib.storage.objects import ObjectGone
from chalicelib.storage.stores import Stores

OFF, STAGING = "off", "staging"


class DirectUploads:
    """Objects that were written straight to S3."""

    def __init__(self, stores: Stores) -> None:
        self._store, self._objects, self._settled_s = stores.blobs, stores.objects, stores.settings.settled_s
        self._clock = stores.clock
        self.has_edge, self._is_staged = stores.settings.edge != OFF, stores.settings.edge == STAGING

    def latest(self, repository_id: str, digest: Digest) -> tuple[str, int] | None:
        """Returns key and size of the newest verified object for a repository and a digest; None if there is none."""
        newest = self._objects.last(bucket_keys.edge_prefix(repository_id, digest))
        if not self._is_staged:
            return newest
        staged = None if newest else self._objects.last(bucket_keys.staging_prefix(repository_id, digest))
        try:
            if staged:
                newest = bucket_keys.out_of_staging(staged[0]), staged[1]
                self._objects.copy(staged[0], newest[0])
            is_verified = newest is not None and self._is_verified(newest[0], digest)
        except ObjectGone:
            return None
        if staged:
            self._objects.delete(staged[0])
        if newest and not is_verified:
            self.remove_unnamed({newest[0]: digest})
        return newest if is_verified else None

    def _is_verified(self, s3_key: str, digest: Digest) -> bool:
        """Returns whether the bytes have the digest: by S3's checksum, or by hashing them if it has none."""
        checksum = self._objects.sha256(s3_key)
        if checksum is not None:
            return checksum == digest.base64
        hasher = hashlib.sha256()
        for content in self._objects.read(s3_key):
            hasher.update(content)
        return hasher.hexdigest() == digest.hex

    def remove_unnamed(self, digests: Mapping[str, Digest]) -> list[str]:
        """Deletes those of the keys that no blob has, and returns them; it may be repeated after a crash anywhere.

        The fence is written before the blobs are read: an adoption is either seen here, or sees the fence. The fence
        stays so long that no old token writes the key again while a late delete could still remove it.
        """
        unnamed = self._unnamed(digests)
        self._store.fence(unnamed, int(self._clock()) + 2 * self._settled_s)
        unnamed = self._unnamed(unnamed)
        self._objects.delete_all(list(unnamed))
        return list(unnamed)

    def _unnamed(self, digests: Mapping[str, Digest]) -> dict[str, Digest]:
        named = self._store.named(list(digests.values()))
        return {s3_key: digest for s3_key, digest in digests.items() if s3_key not in named}

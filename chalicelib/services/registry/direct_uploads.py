"""Arrivals: objects that somebody brought to S3 past us, by the upload edge or under a granted address.

Nobody calls us back, so they are looked for by repository and digest, and adopted where they lie (blobs.py).
An object counts once its digest is proven over its bytes: by S3 as it took them, or, where the edge could not name a
checksum (`staging`), by S3 as it copies them to where blobs are found. A key is removed only behind a fence.
"""

import hashlib
from collections.abc import Mapping

from chalicelib.domain.digests import Digest
from chalicelib.storage import bucket_keys
from chalicelib.storage.objects import ObjectGone
from chalicelib.storage.stores import Stores

OFF, STAGING = "off", "staging"


class DirectUploads:
    """What came past us. `edge` is off, on or staging; `settled_s` the seconds after which no push waits for a key."""

    def __init__(self, stores: Stores) -> None:
        self._store, self._objects, self._settled_s = stores.blobs, stores.objects, stores.settings.settled_s
        self._clock = stores.clock
        self.has_edge, self._is_staged = stores.settings.edge != OFF, stores.settings.edge == STAGING

    def latest(self, repository_id: str, digest: Digest) -> tuple[str, int] | None:
        """Key and size of the last object that arrived for a repository and a digest, proven; None where none did."""
        found = self._objects.last(bucket_keys.edge_prefix(repository_id, digest))
        if not self._is_staged:
            return found
        staged = None if found else self._objects.last(bucket_keys.staging_prefix(repository_id, digest))
        try:
            if staged:
                found = bucket_keys.out_of_staging(staged[0]), staged[1]
                self._objects.copy(staged[0], found[0])
            is_proven = found is not None and self._is_proven(found[0], digest)
        except ObjectGone:
            return None
        if staged:
            self._objects.delete(staged[0])
        if found and not is_proven:
            self.remove_unnamed({found[0]: digest})
        return found if is_proven else None

    def _is_proven(self, s3_key: str, digest: Digest) -> bool:
        """Whether the bytes are those of the digest: as S3 says, or as we hash them where it says nothing."""
        checksum = self._objects.sha256(s3_key)
        if checksum is not None:
            return checksum == digest.base64
        hasher = hashlib.sha256()
        for content in self._objects.read(s3_key):
            hasher.update(content)
        return hasher.hexdigest() == digest.hex

    def remove_unnamed(self, found: Mapping[str, Digest]) -> list[str]:
        """Removes those of the keys that are no blob's, and tells them; done again, or cut off anywhere, it harms none.

        The fence comes first and the blobs are read after it: an adoption is either seen here, or sees the fence. It
        stands long enough that no old token brings a key back that a late delete could still hit.
        """
        unnamed = self._unnamed(found)
        self._store.fence(unnamed, int(self._clock()) + 2 * self._settled_s)
        unnamed = self._unnamed(unnamed)
        self._objects.delete_all(list(unnamed))
        return list(unnamed)

    def _unnamed(self, found: Mapping[str, Digest]) -> dict[str, Digest]:
        named = self._store.named(list(found.values()))
        return {s3_key: digest for s3_key, digest in found.items() if s3_key not in named}

"""Removes objects in the bucket that no row names, once no push can still adopt them.

A round reads the bytes of manifests and then those of blobs, in as many runs as it needs; each run continues where the
last one stopped, for whatever reason. Keys that contain their digest are checked in every round, a hundred in one read.
Other objects must be read to compute their digests, so only those are checked that no round has seen before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chalicelib.domain.digests import Digest
from chalicelib.domain.uploads import LARGEST_BODY, SMALLEST_PART
from chalicelib.services.registry.direct_uploads import DirectUploads
from chalicelib.storage import bucket_keys
from chalicelib.storage.lifecycle.reconcile import ReconcileRow
from chalicelib.storage.objects import ObjectGone, StoredObject
from chalicelib.storage.stores import Stores

# A round begins a day after the last one ended. It costs a listing of the bucket and a read for each old key.
ROUND_S = 23 * 3600
# The largest object of one request; an object that came in parts has a row of its upload, whose timer removes it.
LARGEST_WHOLE = max(LARGEST_BODY, SMALLEST_PART)


@dataclass(frozen=True, slots=True)
class ReconcileRun:
    """How many objects one run looked at and removed, the bytes that it freed, and whether it ended a round."""

    looked_at: int = 0
    removed: int = 0
    freed_bytes: int = 0
    ended_round: bool = False


class Reconcile:
    """Compares the bucket with the table. A key may still be adopted for `settled_s` seconds after its write."""

    def __init__(self, stores: Stores, direct_uploads: DirectUploads) -> None:
        self._direct_uploads, self._blobs, self._manifests = direct_uploads, stores.blobs, stores.manifests
        self._objects, self._store = stores.objects, stores.reconcile
        self._settled_s, self._clock = stores.settings.settled_s, stores.clock

    def run(self, has_time: Callable[[], bool]) -> ReconcileRun:
        """Continues the round while there is time, by at least one listing of a thousand keys. Raises Unavailable."""
        place, looked_at, removed = self._store.place(), 0, list[StoredObject]()
        if not place.is_under_way:
            if self._clock() < place.ended_at + ROUND_S:
                return ReconcileRun()
            place.begin(int(self._clock()) - self._settled_s)
        for prefix in (bucket_keys.BODIES, bucket_keys.INCOMING):
            if place.after > prefix and not place.after.startswith(prefix):
                continue
            for page in self._objects.pages(prefix, place.after):
                if not page:
                    break
                removed += self._removed(page, place)
                looked_at += len(page)
                place.after = page[-1].key
                self._store.put(place)
                if not has_time():
                    return _run(looked_at, removed, ended_round=False)
        place.end(int(self._clock()))
        self._store.put(place)
        return _run(looked_at, removed, ended_round=True)

    def _removed(self, page: Sequence[StoredObject], place: ReconcileRow) -> list[StoredObject]:
        old = {entry.key: entry for entry in page if entry.written_at < place.bound}
        uploaded = {key: digest for key in old if (digest := bucket_keys.edge_digest(key))}
        removed = self._direct_uploads.remove_unnamed(uploaded) if uploaded else []
        unseen = [entry for key, entry in old.items() if key not in uploaded and entry.written_at >= place.seen_until]
        return [old[key] for key in removed] + [entry for entry in unseen if self._remove_unless_named(entry)]

    def _remove_unless_named(self, entry: StoredObject) -> bool:
        """Removes an object that no row names by the digest of its bytes; returns whether it did."""
        repository_id = bucket_keys.body_owner(entry.key)
        if repository_id is not None:
            return self._remove_if_unnamed(entry, lambda digest: self._names_body(repository_id, digest, entry.key))
        if bucket_keys.is_attempt(entry.key) and entry.size <= LARGEST_WHOLE:
            return self._remove_if_unnamed(entry, lambda digest: entry.key in self._blobs.named([digest]))
        return False

    def _remove_if_unnamed(self, entry: StoredObject, is_named: Callable[[Digest], bool]) -> bool:
        try:
            content = self._objects.get(entry.key)
        except ObjectGone:
            return False
        if any(is_named(Digest.of(content, algorithm)) for algorithm in ("sha256", "sha512")):
            return False
        self._blobs.fence([entry.key], int(self._clock()) + 2 * self._settled_s)
        self._objects.delete(entry.key)
        return True

    def _names_body(self, repository_id: str, digest: Digest, s3_key: str) -> bool:
        row = self._manifests.body_row(repository_id, digest)
        return row is not None and row.s3_key == s3_key


def _run(looked_at: int, removed: Sequence[StoredObject], *, ended_round: bool) -> ReconcileRun:
    return ReconcileRun(looked_at, len(removed), sum(entry.size for entry in removed), ended_round)

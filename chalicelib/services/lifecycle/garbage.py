"""The garbage collector removes manifests and blobs that nothing keeps, and frees their bytes.

The collector condemns a row first and then looks for edges that keep it; a push writes its edges first and then reads
states. Whichever comes second therefore sees the other. Only timers start the collector, so its cost depends on what
is deleted and not on what stays. A timer is removed only when its work is done, so interrupted work is repeated.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from chalicelib.domain.digests import Digest
from chalicelib.domain.ids import made_at
from chalicelib.domain.manifests import parse_manifest
from chalicelib.domain.states import State
from chalicelib.domain.tags import FOREVER
from chalicelib.domain.timers import Due, HasTime, Later
from chalicelib.services.lifecycle.signature_tags import SignatureTags
from chalicelib.services.lifecycle.stale_uploads import StaleUploads
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.keys.timer_targets import (
    BytesTarget,
    KeyTarget,
    LinkTarget,
    ManifestTarget,
    UploadTarget,
    read_target,
)
from chalicelib.storage.lifecycle.garbage import NOTHING, Freed, KeepingEdge
from chalicelib.storage.objects import ObjectGone
from chalicelib.storage.registry.blobs import BlobLinkRow
from chalicelib.storage.registry.manifests import BodyRow, ManifestRow
from chalicelib.storage.registry.repositories import RepositoryRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import retry_on_conflict


@dataclass(frozen=True, slots=True)
class CollectionResult:
    """When to look again, in seconds since the epoch (None if nothing is left to do), and what was removed."""

    again_at: int | None = None
    freed: Freed = NOTHING


@dataclass(frozen=True, slots=True)
class KeptUntil:
    """Something is kept until a second since the epoch, or, if `until` is None, until its keeper ends and wakes us."""

    until: int | None = None


DONE = CollectionResult()
R = TypeVar("R", ManifestRow, BlobLinkRow)


class Garbage:
    """Collects garbage.

    `grace_s` is how many seconds bytes outlive their last link; a fence stands for twice `settled_s` seconds.
    """

    def __init__(self, stores: Stores, stale_uploads: StaleUploads, signature_tags: SignatureTags) -> None:
        self._store, self._manifests, self._blobs = stores.garbage, stores.manifests, stores.blobs
        self._repositories, self._accounts, self._objects = stores.repositories, stores.accounts, stores.objects
        self._stale_uploads, self._signature_tags, self._labels = stale_uploads, signature_tags, stores.labels
        self._lease, self._grace_s = stores.lease, stores.settings.grace_s
        self._settled_s, self._clock = stores.settings.settled_s, stores.clock
        # The bytes that this process has freed, for the metrics of its turns.
        self.freed_bytes = 0

    def work(self, due: Due, _: HasTime) -> Later | None:
        """Does the work of a garbage timer and counts what it removed."""
        outcome = self.collect(due.target)
        if outcome.freed != NOTHING:
            self._store.count(outcome.freed, int(self._clock()))
            self.freed_bytes += outcome.freed.bytes
        return None if outcome.again_at is None else Later(outcome.again_at)

    def collect(self, target: str) -> CollectionResult:
        """Collects the target of a timer unless it is kept. Raises Unavailable after too many write conflicts."""
        match read_target(target):
            case ManifestTarget(repository_id, digest):
                return retry_on_conflict(lambda: self._manifest(repository_id, digest))
            case LinkTarget(repository_id, digest):
                return retry_on_conflict(lambda: self._link(repository_id, digest))
            case BytesTarget(digest):
                return retry_on_conflict(lambda: self._bytes(digest))
            case KeyTarget(digest, s3_key):
                return retry_on_conflict(lambda: self._key(digest, s3_key))
            case UploadTarget(upload_id):
                return retry_on_conflict(lambda: CollectionResult(self._stale_uploads.collect(upload_id)))
        raise ValueError(f"{target} is not the target of a garbage timer")

    # Manifests

    def _manifest(self, repository_id: str, digest: Digest) -> CollectionResult:
        row = self._manifests.get(repository_id, digest)
        if row is None:
            return DONE
        kept = _advance(row, lambda: self._keeper(repository_id, digest, row), self._store.move_manifest)
        return CollectionResult(kept.until) if kept else self._remove_manifest(repository_id, digest, row)

    def _keeper(self, repository_id: str, digest: Digest, row: ManifestRow) -> KeptUntil | None:
        """Returns what keeps a manifest: a tag, also one that ended within the window, a lease, a parent or subject."""
        if row.live_until is not None:
            if row.live_until >= FOREVER:
                return KeptUntil()
            namespace = self._namespace(repository_id)
            end = row.live_until + (namespace.window_s if namespace else 0)
            if namespace and end > self._clock():
                target = keys.manifest_target(repository_id, digest)
                self._store.keep(keys.namespace_id(namespace.pk), target, row.live_until)
            if end > self._clock():
                return KeptUntil(end)
        if (row.leased_until or 0) > self._clock():
            return KeptUntil(row.leased_until)
        if row.subject and row.deleted_at is None:
            subject = self._manifests.get(repository_id, row.subject)
            if subject is not None and subject.is_living:
                return KeptUntil()
        return self._kept_by_edge(repository_id, self._store.parents(repository_id, digest))

    def _namespace(self, repository_id: str) -> NamespaceRow | None:
        """Returns the namespace whose window holds for a repository; None if the repository is deleted for good."""
        repository = self._repositories.get(repository_id)
        return self._accounts.namespace(repository.namespace_id) if repository else None

    def _kept_by_edge(self, repository_id: str, pages: Iterator[list[KeepingEdge]]) -> KeptUntil | None:
        """Returns until when the first edge that counts keeps its target, and removes the edges before it.

        An edge counts while its manifest lives, and while it is younger than a lease, since its push may still run.
        """
        for page in pages:
            manifests = self._manifests.get_all(repository_id, {edge.manifest for edge in page})
            unneeded: list[KeepingEdge] = []
            for edge in page:
                row = manifests.get(edge.manifest)
                if row is not None and row.is_living:
                    self._store.remove_edges(one.row for one in unneeded)
                    return KeptUntil()
                until = self._lease.until(made_at(edge.ulid))
                if until > self._clock():
                    self._store.remove_edges(one.row for one in unneeded)
                    return KeptUntil(until)
                unneeded.append(edge)
            self._store.remove_edges(one.row for one in unneeded)
        return None

    def _remove_manifest(self, repository_id: str, digest: Digest, row: ManifestRow) -> CollectionResult:
        """Removes a manifest that only a push can bring back, and wakes the collector for what it kept."""
        self._signature_tags.end(repository_id, digest, row)
        body, repository = self._store.body(repository_id, digest)
        if body is not None and body.ulid == row.ulid:
            self._release(repository_id, digest, row, body)
            if body.s3_key:
                self._objects.delete(body.s3_key)
        self._labels.remove_all(repository_id, digest, row)
        now = self._clock()
        # A push that brings the manifest back has written edges of living tags, which must stay.
        self._store.remove_tagged([row for row in self._store.tagged(repository_id, digest) if row.until <= now])
        self._store.remove_manifest(_where(repository_id, repository), row)
        return CollectionResult(None, Freed(manifests=1, bytes=row.size))

    def _release(self, repository_id: str, digest: Digest, row: ManifestRow, body: BodyRow) -> None:
        """Wakes the collector for everything that the manifest kept, then removes its edges."""
        try:
            content = self._manifests.content(body) or b""
        except ObjectGone:
            # The edges are removed before the bytes, so they are gone too.
            return
        manifest = parse_manifest(content, row.media_type, digest.algorithm)
        blobs = list(dict.fromkeys(blob.digest for blob in manifest.kept_blobs))
        children = list(dict.fromkeys(child.digest for child in manifest.children))
        targets = [keys.blob_target(repository_id, blob) for blob in blobs]
        woken = [*children, *self._store.referrers(repository_id, digest)]
        targets += [keys.manifest_target(repository_id, one) for one in woken]
        self._store.wake(targets, int(self._clock()))
        self._store.remove_edges(self._store.own_edges(repository_id, row, blobs, children))

    # Blobs

    def _link(self, repository_id: str, digest: Digest) -> CollectionResult:
        row, repository = self._store.link(repository_id, digest)
        if row is None:
            return DONE
        kept = _advance(row, lambda: self._link_keeper(repository_id, digest, row), self._store.move_link)
        if kept:
            return CollectionResult(kept.until)
        self._store.remove_link(_where(repository_id, repository), row, digest, int(self._clock()))
        return DONE

    def _link_keeper(self, repository_id: str, digest: Digest, row: BlobLinkRow) -> KeptUntil | None:
        if row.leased_until > self._clock():
            return KeptUntil(row.leased_until)
        return self._kept_by_edge(repository_id, self._store.users(repository_id, digest))

    def _bytes(self, digest: Digest) -> CollectionResult:
        """Condemns a blob that no repository links, and deletes it after the grace unless it was linked meanwhile."""
        row, now = self._blobs.get(digest), int(self._clock())
        if row is None or row.state == State.DELETING:
            return DONE
        if self._store.is_linked(digest):
            if row.state == State.CONDEMNED:
                self._store.revive_blob(row)
            return DONE
        if row.state == State.LIVE:
            self._store.condemn_blob(row, now)
        end = (row.condemned_at or now) + self._grace_s
        if end > now:
            return CollectionResult(end)
        if self._store.is_linked(digest):
            self._store.revive_blob(row)
            return DONE
        self._store.doom_blob(row, digest, now)
        return DONE

    def _key(self, digest: Digest, s3_key: str) -> CollectionResult:
        """Deletes an S3 key behind a fence, and the blob that still names it. No key is used twice (ADR 9)."""
        self._blobs.fence([s3_key], int(self._clock()) + 2 * self._settled_s)
        row = self._blobs.get(digest)
        is_named = row is not None and row.s3_key == s3_key
        if row is not None and is_named and row.is_living:
            return DONE
        self._objects.delete(s3_key)
        if row is None or not is_named:
            return DONE
        self._store.remove_blob(row)
        return CollectionResult(None, Freed(blobs=1, bytes=row.size))


def _where(repository_id: str, repository: RepositoryRow | None) -> tuple[str, str]:
    """Returns (namespace id, repository id). A repository's row is removed after its contents."""
    if repository is None:
        raise LookupError(f"repository {repository_id} was removed before its contents")
    return repository.namespace_id, repository_id


def _advance(row: R, keeper: Callable[[], KeptUntil | None], move: Callable[[R, State], None]) -> KeptUntil | None:
    """Moves a row from live to condemned to deleting, and returns what keeps it; None if it is deleting.

    It looks, condemns, and looks once more; a row that is kept after all is live again before its timer is removed.
    """
    if not row.is_living:
        return None
    if kept := keeper():
        if row.state != State.LIVE:
            move(row, State.LIVE)
        return kept
    if row.state == State.LIVE:
        move(row, State.CONDEMNED)
    kept = keeper()
    move(row, State.LIVE if kept else State.DELETING)
    return kept

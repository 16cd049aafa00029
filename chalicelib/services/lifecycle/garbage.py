"""Garbage: what nobody can reach any more is taken apart, and its bytes are freed.

The collector condemns first and looks for edges afterwards; a push writes its edges first and looks at states
afterwards: whoever comes second sees the other. Woken by timers alone, it pays for what dies and never for what lives.
Whatever it is cut off from is found again by the same timer, which goes only when the work is done.
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
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import retry_on_conflict


@dataclass(frozen=True, slots=True)
class CollectionResult:
    """What came of one look: when to look again, in seconds, None where nothing is left to do; and what was removed."""

    again_at: int | None = None
    freed: Freed = NOTHING


@dataclass(frozen=True, slots=True)
class KeptUntil:
    """That something is kept: until a second, or, with None, until its keeper ends and wakes us."""

    until: int | None = None


DONE = CollectionResult()
R = TypeVar("R", ManifestRow, BlobLinkRow)


class Garbage:
    """The collector.

    `grace_s` is how long bytes outlive their last link; twice `settled_s` is how long a fence stands, in seconds.
    """

    def __init__(self, stores: Stores, stale_uploads: StaleUploads, signature_tags: SignatureTags) -> None:
        self._store, self._manifests, self._blobs = stores.garbage, stores.manifests, stores.blobs
        self._repositories, self._accounts, self._objects = stores.repositories, stores.accounts, stores.objects
        self._stale_uploads, self._signature_tags, self._labels = stale_uploads, signature_tags, stores.labels
        self._lease, self._grace_s = stores.lease, stores.settings.grace_s
        self._settled_s, self._clock = stores.settings.settled_s, stores.clock
        # What this process has freed, for the metrics of its turns.
        self.freed_bytes = 0

    def work(self, due: Due, _: HasTime) -> Later | None:
        """Serves a garbage timer, and counts what it removed."""
        outcome = self.collect(due.target)
        if outcome.freed != NOTHING:
            self._store.count(outcome.freed, int(self._clock()))
            self.freed_bytes += outcome.freed.bytes
        return None if outcome.again_at is None else Later(outcome.again_at)

    def collect(self, target: str) -> CollectionResult:
        """Looks at what a garbage timer is for. Raises Unavailable when others were in the way too often."""
        found = read_target(target)
        match found:
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
        raise ValueError(f"no garbage timer is for {target}")

    # Manifests

    def _manifest(self, repository_id: str, digest: Digest) -> CollectionResult:
        row = self._manifests.get(repository_id, digest)
        if row is None:
            return DONE
        held = _end(row, lambda: self._keeper(repository_id, digest, row), self._store.move_manifest)
        return CollectionResult(held.until) if held else self._take_apart(repository_id, digest, row)

    def _keeper(self, repository_id: str, digest: Digest, row: ManifestRow) -> KeptUntil | None:
        """What keeps a manifest: a tag, dead ones inside the window too, a lease, a living parent, a living subject."""
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
        return self._counting(repository_id, self._store.parents(repository_id, digest))

    def _namespace(self, repository_id: str) -> NamespaceRow | None:
        """Whose Time Machine's window lies over a repository; none where nobody can look into it any more."""
        repository = self._repositories.get(repository_id)
        return self._accounts.namespace(repository.namespace_id) if repository else None

    def _counting(self, repository_id: str, pages: Iterator[list[KeepingEdge]]) -> KeptUntil | None:
        """The first edge that counts; those before it that do not are removed.

        An edge counts while its manifest is living, or while it is younger than a lease: its push may be under way.
        """
        for page in pages:
            manifests = self._manifests.get_all(repository_id, {edge.manifest for edge in page})
            spent: list[KeepingEdge] = []
            for edge in page:
                row = manifests.get(edge.manifest)
                if row is not None and row.is_living:
                    self._store.remove_edges(one.row for one in spent)
                    return KeptUntil()
                until = self._lease.until(made_at(edge.ulid))
                if until > self._clock():
                    self._store.remove_edges(one.row for one in spent)
                    return KeptUntil(until)
                spent.append(edge)
            self._store.remove_edges(one.row for one in spent)
        return None

    def _take_apart(self, repository_id: str, digest: Digest, row: ManifestRow) -> CollectionResult:
        """Removes a manifest that only a push can bring back; what it kept is looked at next."""
        self._signature_tags.end(repository_id, digest, row)
        body = self._manifests.body_row(repository_id, digest)
        if body is not None and body.ulid == row.ulid:
            self._release(repository_id, digest, row, body)
            if body.s3_key:
                self._objects.delete(body.s3_key)
        self._labels.remove_all(repository_id, digest, row)
        now = self._clock()
        # A push that brings the manifest back has written edges of tags that live: those are its own.
        self._store.remove_tagged([row for row in self._store.tagged(repository_id, digest) if row.until <= now])
        self._store.remove_manifest(repository_id, row)
        return CollectionResult(None, Freed(manifests=1, bytes=row.size))

    def _release(self, repository_id: str, digest: Digest, row: ManifestRow, body: BodyRow) -> None:
        """Wakes the collector for all that the manifest kept, then removes its edges."""
        try:
            content = self._manifests.content(body) or b""
        except ObjectGone:
            # The bytes went, so the edges had gone before them.
            return
        manifest = parse_manifest(content, row.media_type, digest.algorithm)
        blobs = list(dict.fromkeys(blob.digest for blob in manifest.blobs))
        children = list(dict.fromkeys(child.digest for child in manifest.children))
        targets = [keys.blob_target(repository_id, blob) for blob in blobs]
        woken = [*children, *self._store.referrers(repository_id, digest)]
        targets += [keys.manifest_target(repository_id, one) for one in woken]
        self._store.wake(targets, int(self._clock()))
        self._store.remove_edges(self._store.own_edges(repository_id, row, blobs, children))

    # Blobs

    def _link(self, repository_id: str, digest: Digest) -> CollectionResult:
        row = self._store.link(repository_id, digest)
        if row is None:
            return DONE
        held = _end(row, lambda: self._link_keeper(repository_id, digest, row), self._store.move_link)
        if held:
            return CollectionResult(held.until)
        repository = self._repositories.get(repository_id)
        if repository is None:
            raise LookupError(f"repository {repository_id} went before what it holds")
        self._store.remove_link((repository.namespace_id, repository_id), row, digest, int(self._clock()))
        return DONE

    def _link_keeper(self, repository_id: str, digest: Digest, row: BlobLinkRow) -> KeptUntil | None:
        if row.leased_until > self._clock():
            return KeptUntil(row.leased_until)
        return self._counting(repository_id, self._store.users(repository_id, digest))

    def _bytes(self, digest: Digest) -> CollectionResult:
        """A blob that no repository has: condemned, and after the grace, should nobody have linked it, deleted."""
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
        """Deletes a key behind a fence, and the blob that still names it. A key is never used twice (ADR 9)."""
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


def _end(row: R, keeper: Callable[[], KeptUntil | None], move: Callable[[R, State], None]) -> KeptUntil | None:
    """Moves a row from live to condemned to deleting, and returns what keeps it, None where it is deleting.

    It looks, condemns, and looks once more; what is kept after all is live again before its timer goes.
    """
    if not row.is_living:
        return None
    if held := keeper():
        if row.state != State.LIVE:
            move(row, State.LIVE)
        return held
    if row.state == State.LIVE:
        move(row, State.CONDEMNED)
    held = keeper()
    move(row, State.LIVE if held else State.DELETING)
    return held

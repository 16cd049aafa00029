"""Manifests: pulled, pushed with their tags, deleted.

A push writes the edges first, then checks what they point to, then writes the manifest; the collector condemns first,
then looks for edges. Whoever comes second sees the other.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import DigestInvalid, ManifestBlobUnknown, ManifestUnknown
from chalicelib.domain.events import DELETE_MANIFEST, DELETE_TAG, TAG_EXPIRATION_WARNED, TAG_FIXED
from chalicelib.domain.events import PUSH as PUSHED
from chalicelib.domain.ids import ulid
from chalicelib.domain.leases import Lease
from chalicelib.domain.manifests import Manifest
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import DELETE, PUSH, Actor
from chalicelib.domain.repositories import Repository
from chalicelib.domain.states import State
from chalicelib.domain.tags import end_of
from chalicelib.services.accounts.quotas import check_room
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.registry.blobs import Blobs
from chalicelib.services.registry.expiry_labels import ExpiryLabels
from chalicelib.services.registry.repositories import Repositories
from chalicelib.services.registry.tags import TagChanges, TaggedManifest, absence
from chalicelib.services.security.access import Access, WriteAccess
from chalicelib.storage import keys
from chalicelib.storage.registry.blobs import BlobView
from chalicelib.storage.registry.manifests import ManifestRow, ManifestStore
from chalicelib.storage.registry.tags import TagRow, same
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch, Read, Transaction, WriteConflict, retry_on_conflict

# How many tags one transaction moves: each takes up to six of its hundred items.
TAGS_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Pulled:
    """A manifest for a reader; `content` is None where only its presence was asked for. `size` is in bytes."""

    digest: Digest
    media_type: str
    size: int
    content: bytes | None = None


class BodyCache:
    """Bytes of manifests, which never change, by repository and digest; at most `limit` bytes a process."""

    def __init__(self, limit: int = 32 * 1024 * 1024) -> None:
        self._bodies: OrderedDict[tuple[str, Digest], bytes] = OrderedDict()
        self._limit, self._bytes, self._lock = limit, 0, Lock()

    def get(self, repository_id: str, digest: Digest) -> bytes | None:
        """The bytes, when they are here."""
        with self._lock:
            body = self._bodies.get((repository_id, digest))
            if body is not None:
                self._bodies.move_to_end((repository_id, digest))
            return body

    def put(self, repository_id: str, digest: Digest, body: bytes) -> None:
        """Keeps the bytes; the longest unused go."""
        with self._lock:
            if (repository_id, digest) in self._bodies:
                return
            self._bodies[repository_id, digest] = body
            self._bytes += len(body)
            while self._bytes > self._limit:
                _, gone = self._bodies.popitem(last=False)
                self._bytes -= len(gone)


@dataclass(frozen=True, slots=True)
class PushReads:
    """What the batch of reads behind a push shows."""

    rights: WriteAccess
    manifest: Read[ManifestRow]
    tags: dict[str, Read[TagRow]]
    blobs: dict[Digest, BlobView]
    children: dict[Digest, Read[ManifestRow]]

    @property
    def stored_tags(self) -> Iterator[tuple[str, TagRow | None]]:
        """The tags of the push, with what they name now."""
        return ((tag, read.row) for tag, read in self.tags.items())


class PushEdges:
    """The edges of one push, written again when they have grown old."""

    def __init__(
        self,
        store: ManifestStore,
        lease: Lease,
        clock: Callable[[], float],
        repository: Repository,
        manifest: Manifest,
    ) -> None:
        self._store, self._lease, self._clock = store, lease, clock
        self.repository, self.manifest = repository, manifest
        self._written_at, self._ulid = 0.0, ""

    def fresh(self, *, overtaken: bool) -> str:
        """The push's ULID. Edges older than half a lease could be gone before the manifest stands: they are renewed."""
        if overtaken or self._lease.is_short(self._lease.until(self._written_at), self._clock()):
            self._written_at = self._clock()
            self._ulid = ulid(self._written_at)
            until = self._lease.until(self._written_at)
            self._store.write_edges(self.repository.id, self.manifest, self._ulid, until)
        return self._ulid


class Manifests:
    """Manifests of repositories."""

    def __init__(
        self,
        access: Access,
        usage: UsageLog,
        stores: Stores,
        repositories: Repositories,
        blobs: Blobs,
        expirations: ExpiryLabels,
    ) -> None:
        self._access, self._usage, self._repositories, self._blobs = access, usage, repositories, blobs
        self._store, self._tags, self._expirations = stores.manifests, stores.tags, expirations
        self._lease, self._clock, self._bodies = stores.lease, stores.clock, BodyCache()

    def find(self, actor: Actor, name: RepositoryName, reference: "str | Digest") -> Pulled:
        """Whether a manifest is there (HEAD). Raises Unauthenticated, NameUnknown, ManifestUnknown.

        By digest, from an actor who may push, it renews a short lease: clients skip a push when the answer is yes.
        """
        repository = self._access.repository(actor, name)
        if isinstance(reference, str):
            return self._by_tag(repository, reference)
        row = self._store.get(repository.id, reference)
        if row is None or not row.is_pullable:
            raise ManifestUnknown(str(name), str(reference))
        if self._access.may(actor, name, PUSH):
            self._renew(repository, reference, row)
        return Pulled(reference, row.media_type, row.size)

    def pull(self, actor: Actor, name: RepositoryName, reference: "str | Digest") -> Pulled:
        """A manifest with its bytes. Raises as `find` does."""
        repository = self._access.repository(actor, name)
        pulled = (
            self._by_tag(repository, reference)
            if isinstance(reference, str)
            else self._by_digest(repository, reference)
        )
        self._usage.pulled(actor, repository, reference, (pulled.digest, pulled.media_type))
        return pulled

    def _by_tag(self, repository: Repository, tag: str) -> Pulled:
        """A live tag proves a live manifest. Raises TagExpired, ManifestUnknown."""
        row = self._tags.get(repository.id, tag)
        if row is None or not row.is_alive(self._clock()):
            raise absence(repository, tag, (self._store, self._tags))
        return Pulled(row.digest, row.media_type, row.size)

    def _by_digest(self, repository: Repository, digest: Digest) -> Pulled:
        body = self._bodies.get(repository.id, digest)
        if body is None:
            row, body = self._store.get_whole(repository.id, digest)
        else:
            row = self._store.get(repository.id, digest)
        if row is None or body is None or not row.is_pullable:
            raise ManifestUnknown(str(repository.name), str(digest))
        self._bodies.put(repository.id, digest, body)
        return Pulled(digest, row.media_type, row.size, body)

    def body(self, actor: Actor, name: RepositoryName, pulled: Pulled) -> bytes:
        """The bytes of a manifest that was found by its tag."""
        if pulled.content is not None:
            return pulled.content
        repository = self._access.repository(actor, name)
        body = self._bodies.get(repository.id, pulled.digest) or self._store.get_body(repository.id, pulled.digest)
        if body is None:
            raise ManifestUnknown(str(name), str(pulled.digest))
        self._bodies.put(repository.id, pulled.digest, body)
        return body

    def _renew(self, repository: Repository, digest: Digest, row: ManifestRow) -> None:
        now = self._clock()
        is_held = row.live_until is not None and row.live_until > now + self._lease.seconds
        if row.state == State.LIVE and (is_held or not self._lease.is_short(row.leased_until or 0, now)):
            return

        def attempt() -> None:
            stored = self._store.get(repository.id, digest)
            if stored is None or not stored.is_pullable:
                raise ManifestUnknown(str(repository.name), str(digest))
            self._store.renew(stored, keys.manifest_target(repository.id, digest), self._lease.until(self._clock()))

        retry_on_conflict(attempt)

    def push(self, actor: Actor, name: RepositoryName, manifest: Manifest, tags: Sequence[str]) -> str:
        """Takes a manifest in and points tags to it; gives what the pusher is to be told, empty for nothing.

        Raises Unauthenticated, NameUnknown, and ManifestBlobUnknown naming all that is missing.
        """
        repository = self._repositories.for_push(actor, name)
        names, edges = list(dict.fromkeys(tags)), PushEdges(self._store, self._lease, self._clock, repository, manifest)
        warning = ""
        for start in range(0, max(len(names), 1), TAGS_AT_ONCE):
            warning = self._push(actor, edges, names[start : start + TAGS_AT_ONCE])
        self._bodies.put(repository.id, manifest.digest, manifest.content)
        return warning

    def _push(self, actor: Actor, edges: "PushEdges", tags: list[str]) -> str:
        repository, manifest = edges.repository, edges.manifest
        overtaken = False

        def attempt() -> str:
            nonlocal overtaken
            # Whoever was first may have written the same edges under a ULID of its own.
            push_ulid, overtaken = edges.fresh(overtaken=overtaken), True
            seen = self._look(actor, repository, manifest, tags)
            seen.rights.check(PUSH)
            check_room(seen.rights.namespace, 0, self._clock())
            self._check_named(repository, seen)
            return self._write(actor, repository, manifest, tags, seen, push_ulid)

        return retry_on_conflict(attempt)

    def _look(self, actor: Actor, repository: Repository, manifest: Manifest, tags: list[str]) -> PushReads:
        batch = Batch()
        seen = PushReads(
            rights=self._access.recheck(batch, actor, repository),
            manifest=batch.add(ManifestRow, keys.manifest(repository.id, manifest.digest)),
            tags={tag: batch.add(TagRow, keys.tag(repository.id, tag)) for tag in tags},
            blobs={blob.digest: BlobView(batch, repository.id, blob.digest) for blob in manifest.blobs},
            children={
                child.digest: batch.add(ManifestRow, keys.manifest(repository.id, child.digest))
                for child in manifest.children
            },
        )
        batch.read()
        return seen

    def _check_named(self, repository: Repository, seen: PushReads) -> None:
        """Refuses what is absent, adopts what only the edge knows, makes live what is condemned."""
        missing = [str(digest) for digest, view in seen.blobs.items() if not self._has_blob(repository, view)]
        missing += [
            str(digest) for digest, read in seen.children.items() if read.row is None or not read.row.is_pullable
        ]
        if missing:
            raise ManifestBlobUnknown(missing)
        for digest, child in seen.children.items():
            if child.row is not None and child.row.state != State.LIVE:
                target = keys.manifest_target(repository.id, digest)
                self._store.renew(child.row, target, self._lease.until(self._clock()))

    def _has_blob(self, repository: Repository, view: BlobView) -> bool:
        if view.link is None or view.link.deleted_at is not None:
            return self._blobs.adopt(repository, view.digest)
        return view.link.state == State.LIVE or self._blobs.hold(repository, view.digest)

    def _write(
        self, actor: Actor, repository: Repository, manifest: Manifest, tags: list[str], seen: PushReads, push_ulid: str
    ) -> str:
        now = int(self._clock())
        stored = seen.manifest.row
        transaction = Transaction()
        moves = TagChanges(transaction, repository, (self._store, self._tags), now, seen.rights.rules)
        said = self._expirations.said(repository, manifest, seen.blobs, [read.row for read in seen.children.values()])
        expiration = self._expirations.at(said, now)
        expires_at = expiration.end
        named = TaggedManifest(manifest.digest, manifest.media_type, manifest.size, manifest.layers_size)
        changed = {tag: row for tag, row in seen.stored_tags if not same(row, manifest.digest, expires_at, now)}
        for tag, row_before in changed.items():
            moves.begin(tag, named, expires_at, row_before, warning=expiration.warning)
        row = self._row(repository, manifest, stored, push_ulid, now)
        row.expires_after, row.built_at = said.label, said.built_at
        again = {tag for tag, row_before in changed.items() if row_before and row_before.digest == manifest.digest}
        row.live_until = moves.remaining(manifest.digest, dict.fromkeys(again, now)) if again else row.live_until
        if tags:
            row.live_until = max(row.live_until or 0, end_of(expires_at))
        if not tags:
            row.leased_until = self._lease.until(now)
        moves.settle(seen.rights.window_s, beside=manifest.digest)
        if stored is None or not stored.is_living:
            transaction.put(self._store.put_body(repository.id, manifest, push_ulid))
        elif stored.ulid != push_ulid:
            self._store.move_body(transaction, repository.id, manifest.digest, push_ulid)
        self._store.put(transaction, row, stored)
        self._store.put_referrer(transaction, repository.id, manifest, push_ulid)
        told = {"tags": tags, "manifest_digest": str(manifest.digest), "mediaType": manifest.media_type}
        self._usage.record(actor, transaction, PUSHED, repository, told)
        for tag in moves.fixed:
            fixed = {"tag": tag, "manifest_digest": str(manifest.digest)}
            self._usage.record(actor, transaction, TAG_FIXED, repository, fixed)
        if expiration.warning and tags:
            warned = {"tags": tags, "manifest_digest": str(manifest.digest), "message": expiration.warning}
            self._usage.record(actor, transaction, TAG_EXPIRATION_WARNED, repository, warned)
        transaction.commit()
        return expiration.warning if tags else ""

    def _row(
        self, repository: Repository, manifest: Manifest, stored: ManifestRow | None, push_ulid: str, now: int
    ) -> ManifestRow:
        """The manifest's state after the push, under whose ULID its edges and its body are now."""
        living = stored if stored and stored.is_living else None
        return ManifestRow.under(
            keys.manifest(repository.id, manifest.digest),
            media_type=manifest.media_type,
            size=manifest.size,
            layers_size=manifest.layers_size,
            subject=manifest.subject,
            artifact_type=manifest.artifact_type,
            ulid=push_ulid,
            pushed_at=living.pushed_at if living else now,
            live_until=living.live_until if living else None,
            # A lease is somebody's, whoever points a tag to the manifest meanwhile.
            leased_until=living.leased_until if living else None,
            labeled=stored.labeled if stored else None,
        )

    def delete(self, actor: Actor, name: RepositoryName, digest: Digest) -> None:
        """Ends a manifest's tags and its lease: it is gone for readers, and stays for the Time Machine.

        Raises ManifestUnknown.
        """
        repository = self._access.repository(actor, name, DELETE)
        row = self._store.get(repository.id, digest)
        if row is None or not row.is_pullable:
            raise ManifestUnknown(str(name), str(digest))
        names = self._live_tags(repository, digest)
        for start in range(0, len(names), TAGS_AT_ONCE):
            self._end_tags(actor, repository, digest, names[start : start + TAGS_AT_ONCE])
        retry_on_conflict(lambda: self._delete(actor, repository, digest))

    def _live_tags(self, repository: Repository, digest: Digest) -> list[str]:
        now = int(self._clock())
        return [edge.tag for edge in self._store.tagged(repository.id, digest) if edge.until > now]

    def _end_tags(self, actor: Actor, repository: Repository, digest: Digest, names: list[str]) -> None:
        def attempt() -> None:
            batch = Batch()
            rights = self._access.recheck(batch, actor, repository)
            reads = [batch.add(TagRow, keys.tag(repository.id, name)) for name in names]
            batch.read()
            rights.check(DELETE)
            rows = [read.row for read in reads if read.row is not None and read.row.digest == digest]
            if not rows:
                return
            transaction = Transaction()
            moves = TagChanges(transaction, repository, (self._store, self._tags), int(self._clock()))
            for row in rows:
                moves.end(row)
                told = {"tag": row.name, "manifest_digest": str(digest)}
                self._usage.record(actor, transaction, DELETE_TAG, repository, told)
            moves.settle(rights.window_s)
            transaction.commit()

        retry_on_conflict(attempt)

    def _delete(self, actor: Actor, repository: Repository, digest: Digest) -> None:
        now = int(self._clock())
        batch = Batch()
        rights = self._access.recheck(batch, actor, repository)
        read = batch.add(ManifestRow, keys.manifest(repository.id, digest))
        batch.read()
        rights.check(DELETE)
        row = read.row
        if row is None or not row.is_pullable:
            return
        # A tag that a push has pointed here since the others were ended goes too.
        if late := self._live_tags(repository, digest):
            self._end_tags(actor, repository, digest, late[:TAGS_AT_ONCE])
            raise WriteConflict
        transaction = Transaction()
        moves = TagChanges(transaction, repository, (self._store, self._tags), now)
        row.deleted_at, row.leased_until = now, now
        row.live_until = min(row.live_until, now) if row.live_until is not None else now
        self._store.put(transaction, row, row)
        moves.wake(digest, row.live_until, rights.window_s)
        self._store.hide_referrer(transaction, repository.id, row, digest, now)
        self._usage.record(actor, transaction, DELETE_MANIFEST, repository, {"manifest_digest": str(digest)})
        transaction.commit()


def check_digest(manifest: Manifest, digest: Digest) -> None:
    """Raises DigestInvalid when a manifest pushed by digest is another one."""
    if manifest.digest != digest:
        raise DigestInvalid(str(digest), f"the manifest that came has {manifest.digest}")

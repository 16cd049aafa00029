"""Pulls, pushes and deletes manifests.

A push writes the edges first, then checks what they point to, then writes the manifest; the collector condemns first,
then looks for edges. So the later of the two sees the other. What a manifest names is also looked up before its edges
if these take more than one call, so that a refused manifest costs no more writes than one call makes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import ManifestInUse, ManifestUnknown, TagImmutable
from chalicelib.domain.events import DELETE_MANIFEST, DELETE_TAG, TAG_EXPIRATION_WARNED, TAG_FIXED
from chalicelib.domain.events import PUSH as PUSHED
from chalicelib.domain.expiry_labels import Expiration
from chalicelib.domain.ids import ulid
from chalicelib.domain.leases import Lease
from chalicelib.domain.manifest_changes import after_deletion, after_push
from chalicelib.domain.manifests import Manifest
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import DELETE, PUSH, TO_DELETE, Actor
from chalicelib.domain.repositories import Repository
from chalicelib.domain.states import State
from chalicelib.domain.tag_changes import begins_again, ends_earlier
from chalicelib.domain.tags import end_of
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.registry.blobs import Blobs
from chalicelib.services.registry.body_cache import BodyCache
from chalicelib.services.registry.expiry_labels import ExpiryLabels
from chalicelib.services.registry.manifest_leases import ManifestLeases
from chalicelib.services.registry.manifest_sizes import ManifestSizes
from chalicelib.services.registry.named_contents import NamedContents, NamedReads
from chalicelib.services.registry.repositories import Repositories
from chalicelib.services.registry.tag_changes import NewLife, TagChanges, TaggedManifest, tag_unknown
from chalicelib.services.registry.tagged_indexes import TaggedIndexes
from chalicelib.services.security.access import Access
from chalicelib.services.security.write_access import WriteAccess
from chalicelib.storage import keys
from chalicelib.storage.registry.manifests import ManifestRow, ManifestStore
from chalicelib.storage.registry.tags import TagRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch, Read, Transaction, WriteConflict, retry_on_conflict

# How many tags one transaction changes: each takes up to six of its hundred items.
TAGS_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Pulled:
    """A manifest that may be pulled; `content` is None unless it was read. `size` is in bytes."""

    digest: Digest
    media_type: str
    size: int
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class PushReads:
    """The rows that a push reads in one batch."""

    rights: WriteAccess
    manifest: Read[ManifestRow]
    tags: dict[str, Read[TagRow]]
    named: NamedReads

    @property
    def stored_tags(self) -> Iterator[tuple[str, TagRow | None]]:
        """The tags of the push with their stored rows."""
        return ((tag, read.row) for tag, read in self.tags.items())


class PushEdges:
    """The edges of one push, which are written again when they are old."""

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
        """Returns the edges' ULID; renews edges that could be collected before the manifest is written."""
        if overtaken or self._lease.is_short(self._lease.until(self._written_at), self._clock()):
            self._written_at = self._clock()
            self._ulid = ulid(self._written_at)
            until = self._lease.until(self._written_at)
            self._store.write_edges(self.repository.id, self.manifest, self._ulid, until)
        return self._ulid


@dataclass(frozen=True, slots=True)
class _Push:
    """A manifest that is pushed, with the tags that one transaction points to it."""

    actor: Actor
    edges: PushEdges
    tags: list[Tag]
    may_be_sparse: bool

    @property
    def repository(self) -> Repository:
        return self.edges.repository

    @property
    def manifest(self) -> Manifest:
        return self.edges.manifest


class Manifests:
    """Manifests of repositories."""

    def __init__(
        self, access: Access, usage_log: UsageLog, stores: Stores, repositories: Repositories, blobs: Blobs
    ) -> None:
        self._access, self._usage_log, self._repositories = access, usage_log, repositories
        self._stores, self._store, self._tags = stores, stores.manifests, stores.tags
        self._named = NamedContents(stores, blobs)
        self._expirations, self._bodies = ExpiryLabels(stores), BodyCache()
        self._lease, self._clock = stores.lease, stores.clock
        self._leases, self._indexes = ManifestLeases(access, stores), TaggedIndexes(stores)
        self._sizes = ManifestSizes(stores)

    def find(self, actor: Actor, name: RepositoryName, reference: "Tag | Digest") -> Pulled:
        """Finds a manifest without its bytes (HEAD). Raises Unauthenticated, NameUnknown, ManifestUnknown.

        By digest, for an actor who may push, it renews a short lease: clients skip the push of a manifest that exists.
        """
        repository = self._access.repository(actor, name)
        if isinstance(reference, str):
            pulled = self._by_tag(repository, reference)
            self._usage_log.record_lookup(actor, repository, reference, pulled.digest)
            return pulled
        row = self._store.get(repository.id, reference)
        if row is None or not self._indexes.is_pullable(repository.id, reference, row):
            raise ManifestUnknown(str(name), str(reference))
        if self._access.may(actor, name, PUSH):
            self._leases.renew(actor, repository, reference, row)
        return Pulled(reference, row.media_type, row.size)

    def pull(self, actor: Actor, name: RepositoryName, reference: "Tag | Digest") -> Pulled:
        """Returns a manifest; by digest with its bytes, by tag without (see `body`). Raises as `find` does."""
        repository = self._access.repository(actor, name)
        pulled = (
            self._by_tag(repository, reference)
            if isinstance(reference, str)
            else self._by_digest(repository, reference)
        )
        self._usage_log.record_pull(actor, repository, reference, (pulled.digest, pulled.media_type))
        return pulled

    def _by_tag(self, repository: Repository, tag: str) -> Pulled:
        """Finds a manifest by its tag's row: a live tag has a live manifest. Raises TagExpired, ManifestUnknown."""
        row = self._tags.get(repository.id, tag)
        if row is None or not row.is_alive(self._clock()):
            raise tag_unknown(repository, tag, self._stores)
        return Pulled(row.digest, row.media_type, row.size)

    def _by_digest(self, repository: Repository, digest: Digest) -> Pulled:
        body = self._bodies.get(repository.id, digest)
        if body is None:
            row, body = self._store.get_whole(repository.id, digest)
        else:
            row = self._store.get(repository.id, digest)
        if row is None or body is None or not self._indexes.is_pullable(repository.id, digest, row):
            raise ManifestUnknown(str(repository.name), str(digest))
        self._bodies.put(repository.id, digest, body)
        return Pulled(digest, row.media_type, row.size, body)

    def body(self, actor: Actor, name: RepositoryName, pulled: Pulled) -> bytes:
        """Returns the bytes of a manifest that was found by its tag. Raises ManifestUnknown."""
        if pulled.content is not None:
            return pulled.content
        repository = self._access.repository(actor, name)
        body = self._bodies.get(repository.id, pulled.digest) or self._store.get_body(repository.id, pulled.digest)
        if body is None:
            raise ManifestUnknown(str(name), str(pulled.digest))
        self._bodies.put(repository.id, pulled.digest, body)
        return body

    def push(
        self,
        actor: Actor,
        name: RepositoryName,
        manifest: Manifest,
        tags: Sequence[Tag],
        *,
        may_be_sparse: bool = False,
    ) -> str:
        """Pushes a manifest and points tags to it; returns a warning for the pusher, or an empty string.

        An index that `may_be_sparse` may lack manifests that it lists, not blobs.
        Raises Unauthenticated, NameUnknown, TagImmutable, ManifestInvalid, and ManifestBlobUnknown with the first
        100 missing digests.
        """
        repository = self._repositories.for_push(actor, name)
        names, edges = list(dict.fromkeys(tags)), PushEdges(self._store, self._lease, self._clock, repository, manifest)
        if not self._store.has_few_edges(manifest):
            retry_on_conflict(lambda: self._look_up(_Push(actor, edges, names, may_be_sparse)))
        warning = ""
        for start in range(0, max(len(names), 1), TAGS_AT_ONCE):
            warning = self._push(_Push(actor, edges, names[start : start + TAGS_AT_ONCE], may_be_sparse))
        self._bodies.put(repository.id, manifest.digest, manifest.content)
        return warning

    def _look_up(self, push: _Push) -> None:
        """Refuses, before any edge is written, what is refused after it."""
        reads = self._read(push)
        self._check(push, reads)
        self._sizes.room(push.repository, push.manifest, reads.manifest.row, reads.rights.namespace)
        for tag, row in reads.stored_tags:
            if row is not None and not row.state.may_name(push.manifest.digest, self._clock()):
                raise TagImmutable(str(push.repository.name), tag)

    def _check(self, push: _Push, reads: PushReads) -> None:
        reads.rights.check(PUSH)
        self._named.check(push.actor, push.repository, push.manifest, reads.named, may_be_sparse=push.may_be_sparse)

    def _push(self, push: _Push) -> str:
        overtaken = False

        def attempt() -> str:
            nonlocal overtaken
            # The other push may have written the same edges under its own ULID.
            push_ulid, overtaken = push.edges.fresh(overtaken=overtaken), True
            reads = self._read(push)
            self._check(push, reads)
            return self._write(push, reads, push_ulid)

        return retry_on_conflict(attempt)

    def _read(self, push: _Push) -> PushReads:
        batch, repository, manifest = Batch(), push.repository, push.manifest
        reads = PushReads(
            rights=self._access.recheck(batch, push.actor, repository),
            manifest=batch.add(ManifestRow, keys.manifest(repository.id, manifest.digest)),
            tags={tag: batch.add(TagRow, keys.tag(repository.id, tag)) for tag in push.tags},
            named=NamedReads.add(batch, repository.id, manifest),
        )
        batch.read()
        return reads

    def _write(self, push: _Push, reads: PushReads, push_ulid: str) -> str:
        repository, manifest, stored = push.repository, push.manifest, reads.manifest.row
        now, transaction = int(self._clock()), Transaction()
        labels = self._expirations.find(
            repository, manifest, reads.named.blobs, [read.row for read in reads.named.children.values()]
        )
        # Upstream decides when a mirror's tag ends: a run would only fetch again what a label ends.
        expiration = Expiration() if reads.rights.is_mirror else self._expirations.expiration(labels, stored, now)
        changes = TagChanges(transaction, repository, self._stores, now, reads.rights.rules)
        shortened = self._begin_tags(changes, manifest, expiration, reads, now)
        living = stored.retained if stored and stored.is_living else None
        if living is not None and shortened:
            # A tag that named this manifest ends earlier now: its former end does not keep the manifest.
            live_until = changes.remaining(manifest.digest, dict.fromkeys(shortened, now))
            living = replace(living, live_until=live_until)
        tag_end = end_of(expiration.end) if push.tags else None
        row = _manifest_row(repository, manifest, stored, push_ulid)
        row.expires_after, row.built_at = labels.label, labels.built_at
        row.retain(after_push(living, now, tag_end, self._lease.until(now)), State.LIVE)
        changes.settle(reads.rights.window_s, beside=manifest.digest)
        self._sizes.add(transaction, repository, manifest, stored, reads.rights.namespace)
        self._put(transaction, repository, manifest, (row, stored))
        warning = expiration.warning if push.tags else ""
        self._record_push(push, transaction, changes.made_immutable, warning)
        transaction.commit()
        return warning

    def _begin_tags(
        self, changes: TagChanges, manifest: Manifest, expiration: Expiration, reads: PushReads, now: int
    ) -> list[str]:
        """Points the tags to the manifest; returns those that already named it and end earlier than before."""
        named = TaggedManifest(manifest.digest, manifest.media_type, manifest.size, manifest.layers_size)
        shortened = []
        for tag, row in reads.stored_tags:
            if begins_again(row.state if row else None, manifest.digest, expiration.end, now):
                changes.begin(tag, named, NewLife(expiration.end, expiration.warning), row)
                shortened += [tag] if row and ends_earlier(row.state, manifest.digest, expiration.end) else []
        return shortened

    def _put(
        self,
        transaction: Transaction,
        repository: Repository,
        manifest: Manifest,
        rows: tuple[ManifestRow, ManifestRow | None],
    ) -> None:
        """Writes a manifest's row over the one that was read, its bytes, and its entry as a referrer."""
        row, stored = rows
        if stored is None or not stored.is_living:
            transaction.put(self._store.put_body(repository.id, manifest, row.ulid))
        elif stored.ulid != row.ulid:
            self._store.move_body(transaction, repository.id, manifest.digest, row.ulid)
        self._store.put(transaction, row, stored)
        self._store.put_referrer(transaction, repository.id, manifest, row.ulid)

    def _record_push(self, push: _Push, transaction: Transaction, made_immutable: Sequence[str], warning: str) -> None:
        def record(kind: str, **metadata: object) -> None:
            digest = {"manifest_digest": str(push.manifest.digest)}
            self._usage_log.record_for_repository(
                push.actor, transaction, kind, push.repository, {**metadata, **digest}
            )

        record(PUSHED, tags=push.tags, mediaType=push.manifest.media_type)
        for tag in made_immutable:
            record(TAG_FIXED, tag=tag)
        if warning:
            record(TAG_EXPIRATION_WARNED, tags=push.tags, message=warning)

    def delete(self, actor: Actor, name: RepositoryName, digest: Digest) -> None:
        """Ends a manifest's tags and its lease: it cannot be pulled any more, and stays in the Time Machine.

        Raises ManifestUnknown, TagImmutable, and ManifestInUse while an index with a tag names it.
        """
        repository = self._access.repository(actor, name, TO_DELETE)
        row = self._store.get(repository.id, digest)
        if row is None or not self._indexes.is_pullable(repository.id, digest, row):
            raise ManifestUnknown(str(name), str(digest))
        if index := self._indexes.naming(repository.id, digest):
            raise ManifestInUse(str(digest), str(index))
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
            changes = TagChanges(transaction, repository, self._stores, int(self._clock()))
            for row in rows:
                changes.end(row)
                metadata = {"tag": row.name, "manifest_digest": str(digest)}
                self._usage_log.record_for_repository(actor, transaction, DELETE_TAG, repository, metadata)
            changes.settle(rights.window_s)
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
        # A tag that a push has pointed here since the others were ended is ended too.
        if late := self._live_tags(repository, digest):
            self._end_tags(actor, repository, digest, late[:TAGS_AT_ONCE])
            raise WriteConflict
        transaction = Transaction()
        changes = TagChanges(transaction, repository, self._stores, now)
        retained = after_deletion(row.retained, now)
        row.retain(retained, row.state)
        self._store.put(transaction, row, row)
        changes.wake(digest, retained.live_until or now, rights.window_s)
        self._store.hide_referrer(transaction, repository.id, row, digest, now)
        self._usage_log.record_for_repository(
            actor, transaction, DELETE_MANIFEST, repository, {"manifest_digest": str(digest)}
        )
        transaction.commit()


def _manifest_row(
    repository: Repository, manifest: Manifest, stored: ManifestRow | None, push_ulid: str
) -> ManifestRow:
    """Returns the row of a pushed manifest, under whose ULID its edges and its body are now."""
    return ManifestRow.under(
        keys.manifest(repository.id, manifest.digest),
        media_type=manifest.media_type,
        size=manifest.size,
        layers_size=manifest.layers_size,
        subject=manifest.subject,
        artifact_type=manifest.artifact_type,
        ulid=push_ulid,
        labeled=stored.labeled if stored else None,
        added_expires_after=stored.added_expires_after if stored and stored.is_living else None,
    )

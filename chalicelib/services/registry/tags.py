"""Tags: listed, and moved from one manifest to another with everything that follows from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import ManifestUnknown, TagExpired, TagImmutable
from chalicelib.domain.events import DELETE_TAG
from chalicelib.domain.ids import ulid
from chalicelib.domain.names import RepositoryName, parse_tag
from chalicelib.domain.pages import Page
from chalicelib.domain.permissions import DELETE, Actor
from chalicelib.domain.policies import TagNames
from chalicelib.domain.repositories import Repository
from chalicelib.domain.tags import FOREVER, end_of
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.security import patterns
from chalicelib.services.security.access import Access
from chalicelib.storage import keys
from chalicelib.storage.registry.manifests import ManifestRow, ManifestStore, tagged_row
from chalicelib.storage.registry.repositories import pushed_row
from chalicelib.storage.registry.tags import TagRow, TagStore, tag_row
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch, Transaction, retry_on_conflict
from chalicelib.storage.timers import garbage_timer


@dataclass(frozen=True, slots=True)
class TaggedManifest:
    """What a tag names. Sizes are in bytes: the manifest's own, and its layers' where it is an image."""

    digest: Digest
    media_type: str
    size: int
    layers_size: int | None = None


class TagChanges:
    """The changes of tags within one transaction.

    Every tag that leaves a manifest has the manifest's `live_until` found anew: the latest end among its edges.
    `rules` say which tags may not change once they are there; those that begin under them are `fixed`.
    """

    def __init__(
        self,
        transaction: Transaction,
        repository: Repository,
        stores: tuple[ManifestStore, TagStore],
        now: int,
        rules: Sequence[TagNames] = (),
    ) -> None:
        self._transaction, self._repository, self._now, self._rules = transaction, repository, now, rules
        self.fixed: list[str] = []
        self._manifests, self._tags = stores
        self._left: dict[Digest, dict[str, int]] = {}
        self._forgotten: set[tuple[Digest, str]] = set()
        self._has_begun = False

    def end(self, row: TagRow) -> None:
        """Takes a tag away. Raises TagImmutable where it may not change."""
        self.check_mutable(row)
        self.force_remove(row)

    def force_remove(self, row: TagRow) -> None:
        """Takes a tag away, be it one that may not change."""
        self._close(row)
        self._tags.remove(self._transaction, row)

    def begin(
        self,
        name: str,
        named: TaggedManifest,
        expires_at: int | None,
        stored: TagRow | None,
        *,
        reversion: bool = False,
        warning: str = "",
    ) -> None:
        """Points a tag to a manifest; `reversion` is for one that it had lost, `warning` what its label was warned of.

        Raises TagImmutable where it names another one and may not change.
        """
        if stored is not None:
            if stored.digest != named.digest:
                self.check_mutable(stored)
            self._close(stored, keep_edge=stored.digest == named.digest)
        row = tag_row(self._repository.id, name, ulid())
        row.digest, row.media_type = named.digest, named.media_type
        row.size, row.layers_size = named.size, named.layers_size
        row.started_at, row.expires_at, row.reversion = self._now, expires_at, int(reversion)
        row.warning = warning or None
        if stored is not None and stored.digest == named.digest and stored.is_alive(self._now):
            row.immutable = stored.immutable
        if not row.immutable and expires_at is None and patterns.takes(self._rules, name):
            row.immutable = 1
            self.fixed.append(name)
        self._tags.begin(self._transaction, row, stored, self._repository.id)
        self._transaction.put(tagged_row(self._repository.id, named.digest, name, end_of(expires_at)))
        if not self._has_begun:
            self._has_begun = True
            self._transaction.put(pushed_row(self._repository.id, self._now))

    def check_mutable(self, row: TagRow) -> None:
        """Raises TagImmutable for a tag that may not change."""
        if row.immutable and row.is_alive(self._now):
            raise TagImmutable(str(self._repository.name), row.name)

    def _close(self, row: TagRow, *, keep_edge: bool = False) -> None:
        self._tags.end(self._transaction, row, self._repository.id, self._now)
        if not keep_edge:
            self._left.setdefault(row.digest, {})[row.name] = min(self._now, end_of(row.expires_at))

    def change(self, row: TagRow, window_s: int) -> None:
        """Writes a tag's new end, or whether it may change, and what follows from it for its manifest."""
        self.note(row)
        self.settle(window_s)

    def note(self, row: TagRow) -> None:
        """Writes a tag's new end, or whether it may change; several may be noted before all is settled."""
        self._tags.change(self._transaction, row, self._repository.id)
        self._left.setdefault(row.digest, {})[row.name] = end_of(row.expires_at)

    def forget(self, digest: Digest, name: str) -> None:
        """Removes the edge by which a tag that has left a manifest keeps it for the window."""
        self._forgotten.add((digest, name))
        self._left.setdefault(digest, {})[name] = 0

    def settle(self, window_s: int, *, beside: Digest | None = None) -> None:
        """Finds anew how long the manifests live that tags have left; `beside` is written by the caller itself."""
        self._write_edges()
        ends = {digest: self.remaining(digest, names) for digest, names in self._left.items() if digest != beside}
        batch = Batch()
        reads = {digest: batch.add(ManifestRow, keys.manifest(self._repository.id, digest)) for digest in ends}
        if reads:
            batch.read()
        for digest, read in reads.items():
            if read.row is not None:
                end = ends[digest]
                read.row.live_until = end
                self._manifests.put(self._transaction, read.row, read.row)
                self.wake(digest, self._now if end is None else end, 0 if end is None else window_s)

    def remaining(self, digest: Digest, leaving: Mapping[str, int]) -> int | None:
        """The latest end among a manifest's tags, dead ones included, None without any; `leaving` has new ends."""
        edges = {edge.tag: edge.until for edge in self._manifests.tagged(self._repository.id, digest)}
        ends = (end for tag, end in {**edges, **leaving}.items() if (digest, tag) not in self._forgotten)
        return max(ends, default=None)

    def _write_edges(self) -> None:
        """Writes until when the tags that left keep what they named. An item stands but once in a transaction."""
        for digest, names in self._left.items():
            for name, until in names.items():
                row = tagged_row(self._repository.id, digest, name, until)
                if (digest, name) in self._forgotten:
                    self._transaction.delete(row)
                else:
                    self._transaction.put(row)

    def wake(self, digest: Digest, live_until: int, window_s: int) -> None:
        """Wakes the collector when the Time Machine's window over a manifest closes."""
        if live_until < FOREVER:
            target = keys.manifest_target(self._repository.id, digest)
            self._transaction.put(garbage_timer(self._repository.namespace_id, target, live_until, window_s))


def absence(repository: Repository, tag: str, stores: tuple[ManifestStore, TagStore]) -> ManifestUnknown:
    """What a reader is told of a tag that is not there: whether the Time Machine still keeps what it named."""
    manifests, tags = stores
    life = tags.last_life(repository.id, tag)
    if life is not None and manifests.edge(repository.id, life.digest, tag) is not None:
        row = manifests.get(repository.id, life.digest)
        if row is not None and row.is_living:
            return TagExpired(str(repository.name), tag)
    return ManifestUnknown(str(repository.name), tag)


class Tags:
    """Tags of repositories."""

    def __init__(self, access: Access, usage: UsageLog, stores: Stores) -> None:
        self._access, self._usage, self._store, self._manifests = access, usage, stores.tags, stores.manifests
        self._clock = stores.clock

    def list(self, actor: Actor, name: RepositoryName, last: str, size: int) -> Page[str]:
        """Names of tags past `last`, in order of their bytes.

        Raises Unauthenticated, NameUnknown, TagInvalid.
        """
        repository = self._access.repository(actor, name)
        if last:
            parse_tag(last)
        if size == 0:
            return Page([])
        names: list[str] = []
        for tag in self._store.list(repository.id, last, size + 1, self._clock()):
            names.append(tag)
            if len(names) > size:
                break
        return Page(names[:size], more=len(names) > size)

    def delete(self, actor: Actor, name: RepositoryName, tag: str) -> None:
        """Takes a tag away; its manifest stays for the Time Machine. Raises ManifestUnknown where there is no tag."""
        repository = self._access.repository(actor, name, DELETE)

        def attempt() -> None:
            now = self._clock()
            batch = Batch()
            rights = self._access.recheck(batch, actor, repository)
            read = batch.add(TagRow, keys.tag(repository.id, tag))
            batch.read()
            rights.check(DELETE)
            if read.row is None or not read.row.is_alive(now):
                raise ManifestUnknown(str(name), tag)
            transaction = Transaction()
            moves = TagChanges(transaction, repository, (self._manifests, self._store), int(now))
            moves.end(read.row)
            moves.settle(rights.window_s)
            metadata: Mapping[str, object] = {
                "tag": tag,
                "manifest_digest": str(read.row.digest),
                "repository": str(name),
            }
            self._usage.record(actor, transaction, DELETE_TAG, repository, metadata)
            transaction.commit()

        retry_on_conflict(attempt)

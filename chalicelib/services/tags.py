"""Tags: listed, and moved from one manifest to another with everything that follows from it."""

import time
from collections.abc import Callable, Mapping

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import ManifestUnknown
from chalicelib.domain.events import DELETE_TAG
from chalicelib.domain.ids import ulid
from chalicelib.domain.names import RepositoryName, parse_tag
from chalicelib.domain.pages import Page
from chalicelib.domain.permissions import DELETE, Actor
from chalicelib.domain.repositories import Repository
from chalicelib.domain.tags import FOREVER, end_of
from chalicelib.domain.timers import GARBAGE
from chalicelib.services.access import Access
from chalicelib.services.usage import Usage
from chalicelib.storage import keys
from chalicelib.storage.manifests import ManifestRow, ManifestStore, tagged_row
from chalicelib.storage.table import Batch, Transaction, until_won
from chalicelib.storage.tags import TagRow, TagStore, tag_row
from chalicelib.storage.timers import timer


class TagMoves:
    """The changes of tags within one transaction.

    Every tag that leaves a manifest has the manifest's `live_until` found anew: the latest end among its edges.
    """

    def __init__(
        self, transaction: Transaction, repository: Repository, stores: tuple[ManifestStore, TagStore], now: int
    ) -> None:
        self._transaction, self._repository, self._now = transaction, repository, now
        self._manifests, self._tags = stores
        self._left: dict[Digest, dict[str, int]] = {}

    def end(self, row: TagRow) -> None:
        """Takes a tag away."""
        self._close(row)
        self._tags.remove(self._transaction, row)

    def begin(
        self, name: str, manifest: tuple[Digest, str, int], expires_at: int | None, stored: TagRow | None
    ) -> None:
        """Points a tag to a manifest, given by digest, media type and size."""
        digest, media_type, size = manifest
        if stored is not None:
            self._close(stored, keep_edge=stored.digest == digest)
        row = tag_row(self._repository.id, name, ulid())
        row.digest, row.media_type, row.size = digest, media_type, size
        row.started_at, row.expires_at = self._now, expires_at
        self._tags.begin(self._transaction, row, stored, self._repository.id)
        self._transaction.put(tagged_row(self._repository.id, digest, name, end_of(expires_at)))

    def _close(self, row: TagRow, *, keep_edge: bool = False) -> None:
        self._tags.end(self._transaction, row, self._repository.id, self._now)
        if not keep_edge:
            until = min(self._now, end_of(row.expires_at))
            self._transaction.put(tagged_row(self._repository.id, row.digest, row.name, until))
            self._left.setdefault(row.digest, {})[row.name] = until

    def settle(self, window_s: int, *, beside: Digest | None = None) -> None:
        """Finds anew how long the manifests live that tags have left; `beside` is written by the caller itself."""
        ends = {digest: self.remaining(digest, names) for digest, names in self._left.items() if digest != beside}
        batch = Batch()
        reads = {digest: batch.add(ManifestRow, keys.manifest(self._repository.id, digest)) for digest in ends}
        if reads:
            batch.read()
        for digest, read in reads.items():
            if read.row is not None:
                read.row.live_until = ends[digest]
                self._manifests.put(self._transaction, read.row, read.row)
                self.wake(digest, ends[digest], window_s)

    def remaining(self, digest: Digest, leaving: Mapping[str, int]) -> int:
        """The latest end among a manifest's tags, dead ones included; `leaving` has the ends of those that leave it."""
        edges = self._manifests.tagged(self._repository.id, digest)
        return max((leaving.get(edge.tag, edge.until) for edge in edges), default=self._now)

    def wake(self, digest: Digest, live_until: int, window_s: int) -> None:
        """Wakes the collector when the Time Machine's window over a manifest closes."""
        if live_until < FOREVER:
            target = keys.manifest_target(self._repository.id, digest)
            self._transaction.put(timer(GARBAGE, target, live_until + window_s))


class Tags:
    """Tags of repositories."""

    def __init__(
        self,
        access: Access,
        usage: Usage,
        store: TagStore,
        manifests: ManifestStore,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._access, self._usage, self._store, self._manifests, self._clock = access, usage, store, manifests, clock

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
            rights = self._access.look_again(batch, actor, repository)
            read = batch.add(TagRow, keys.tag(repository.id, tag))
            batch.read()
            rights.check(DELETE)
            if read.row is None or not read.row.is_alive(now):
                raise ManifestUnknown(str(name), tag)
            transaction = Transaction()
            moves = TagMoves(transaction, repository, (self._manifests, self._store), int(now))
            moves.end(read.row)
            moves.settle(rights.window_s)
            metadata: Mapping[str, object] = {
                "tag": tag,
                "manifest_digest": str(read.row.digest),
                "repository": str(name),
            }
            self._usage.record(actor, transaction, DELETE_TAG, repository, metadata)
            transaction.commit()

        until_won(attempt)

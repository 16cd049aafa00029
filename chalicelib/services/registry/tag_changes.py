"""Changes of tags from one manifest to another, with their effects on lives, edges and manifests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import ManifestUnknown, TagExpired, TagImmutable
from chalicelib.domain.ids import ulid
from chalicelib.domain.policies import TagNames
from chalicelib.domain.repositories import Repository
from chalicelib.domain.tag_changes import latest_end, new_life
from chalicelib.domain.tags import FOREVER, end_of
from chalicelib.services.security import patterns
from chalicelib.storage import keys
from chalicelib.storage.registry.manifests import ManifestRow, tagged_row
from chalicelib.storage.registry.repositories import pushed_row
from chalicelib.storage.registry.tags import LifeRow, TagRow, tag_row
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch, Transaction
from chalicelib.storage.timers import garbage_timer


@dataclass(frozen=True, slots=True)
class TaggedManifest:
    """A manifest that a tag names. Sizes are in bytes: the manifest's own, and its layers' where it is an image."""

    digest: Digest
    media_type: str
    size: int
    layers_size: int | None = None


@dataclass(frozen=True, slots=True)
class NewLife:
    """How a tag begins to name a manifest: with an end (None for none), and a warning to its pusher.

    `is_reversion` is true if the tag is restored. `immutable` is what the caller asks for, None for what the rules say.
    """

    expires_at: int | None = None
    warning: str = ""
    is_reversion: bool = False
    immutable: bool | None = None


class TagChanges:
    """The changes of tags within one transaction.

    When a tag leaves a manifest, the manifest's `live_until` becomes the latest end among its edges.
    `rules` are the policies of immutability: tags that begin under them are listed in `made_immutable`.
    """

    def __init__(
        self,
        transaction: Transaction,
        repository: Repository,
        stores: Stores,
        now: int,
        rules: Sequence[TagNames] = (),
    ) -> None:
        self._transaction, self._repository, self._now, self._rules = transaction, repository, now, rules
        self.made_immutable: list[str] = []
        self._manifests, self._tags = stores.manifests, stores.tags
        self._left: dict[Digest, dict[str, int]] = {}
        self._forgotten: set[tuple[Digest, str]] = set()
        self._has_begun = False

    def end(self, row: TagRow) -> None:
        """Removes a tag. Raises TagImmutable."""
        self.check_mutable(row)
        self.force_remove(row)

    def force_remove(self, row: TagRow) -> None:
        """Removes a tag even if it is immutable."""
        self._close(row)
        self._tags.remove(self._transaction, row)

    def end_for_good(self, row: TagRow) -> None:
        """Removes a tag with its life, and with the edge by which it would keep its manifest. Raises TagImmutable."""
        self.check_mutable(row)
        self._tags.remove(self._transaction, row)
        self._tags.remove_life(self._transaction, row, self._repository.id)
        self.forget(row.digest, row.name)

    def begin(self, name: str, named: TaggedManifest, life: NewLife, stored: TagRow | None) -> None:
        """Points a tag to a manifest. Raises TagImmutable for an immutable tag that names another manifest."""
        state, immutable = (stored.state if stored is not None else None), life.immutable
        if stored is not None and state is not None:
            if not state.may_name(named.digest, self._now) and immutable is not False:
                raise TagImmutable(str(self._repository.name), name)
            self._close(stored, keep_edge=state.digest == named.digest)
        is_covered = patterns.takes(self._rules, name)
        begun, is_made_immutable = new_life(state, named.digest, life.expires_at, self._now, is_covered=is_covered)
        row = tag_row(self._repository.id, name, ulid())
        row.digest, row.media_type = named.digest, named.media_type
        row.size, row.layers_size = named.size, named.layers_size
        row.started_at, row.expires_at = begun.started_at, begun.expires_at
        row.immutable = int(begun.immutable if immutable is None else immutable)
        row.reversion, row.warning = int(life.is_reversion), life.warning or None
        if is_made_immutable and row.immutable:
            self.made_immutable.append(name)
        self._tags.begin(self._transaction, row, stored, self._repository.id)
        self._transaction.put(tagged_row(self._repository.id, named.digest, name, end_of(row.expires_at)))
        if not self._has_begun:
            self._has_begun = True
            self._transaction.put(pushed_row(self._repository.id, self._now))

    def check_mutable(self, row: TagRow) -> None:
        """Raises TagImmutable."""
        if not row.state.may_change(self._now):
            raise TagImmutable(str(self._repository.name), row.name)

    def _close(self, row: TagRow, *, keep_edge: bool = False) -> None:
        self._tags.end(self._transaction, row, self._repository.id, self._now)
        if not keep_edge:
            self._left.setdefault(row.digest, {})[row.name] = row.state.left_at(self._now)

    def change(self, row: TagRow, window_s: int) -> None:
        """Writes a tag's new end or immutability, and its effect on the manifest."""
        self.note(row)
        self.settle(window_s)

    def note(self, row: TagRow) -> None:
        """Writes a tag's new end or immutability; call `settle` after one or several of these."""
        self._tags.change(self._transaction, row, self._repository.id)
        self._left.setdefault(row.digest, {})[row.name] = end_of(row.expires_at)

    def forget(self, digest: Digest, name: str) -> None:
        """Removes the edge by which a tag that has left a manifest keeps it for the window."""
        self._forgotten.add((digest, name))
        self._left.setdefault(digest, {})[name] = 0

    def settle(self, window_s: int, *, beside: Digest | None = None) -> None:
        """Writes until when the manifests live that tags have left, except `beside`, which the caller writes."""
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
        """Returns the latest end among a manifest's tags, dead ones included; `leaving` maps tags to their new ends."""
        edges = {edge.tag: edge.until for edge in self._manifests.tagged(self._repository.id, digest)}
        return latest_end(edges, leaving, {name for forgotten, name in self._forgotten if forgotten == digest})

    def _write_edges(self) -> None:
        """Writes until when the tags that left keep their manifests. A transaction may contain an item only once."""
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


def tag_unknown(repository: Repository, tag: str, stores: Stores) -> ManifestUnknown:
    """Returns the error for a tag that does not exist: TagExpired while the Time Machine keeps it."""
    namespace = stores.accounts.namespace(repository.namespace_id)
    life = kept_life(repository, tag, stores, namespace.window_s if namespace else 0)
    return (TagExpired if life else ManifestUnknown)(str(repository.name), tag)


def kept_life(repository: Repository, tag: str, stores: Stores, window_s: int) -> LifeRow | None:
    """Returns the last life of a tag that has ended, while the Time Machine keeps it; None after the window."""
    life = stores.tags.last_life(repository.id, tag)
    if life is None or life.ended_at is None or life.ended_at + window_s <= stores.clock():
        return None
    if stores.manifests.edge(repository.id, life.digest, tag) is None:
        return None
    row = stores.manifests.get(repository.id, life.digest)
    return life if row is not None and row.is_living else None

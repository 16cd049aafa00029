"""What the collector looks at and takes away: each change on condition that nobody was faster."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pynamodb.expressions.condition import Condition

from chalicelib.domain.digests import Digest
from chalicelib.domain.states import State
from chalicelib.domain.timers import GARBAGE
from chalicelib.storage import keys
from chalicelib.storage.activity.pulls import PullSumRow
from chalicelib.storage.attributes import Integer
from chalicelib.storage.registry.blobs import BlobLinkRow, BlobRow, LinkRow, UsesRow
from chalicelib.storage.registry.manifests import BodyRow, ManifestRow, ParentRow, ReferrerRow, TaggedRow
from chalicelib.storage.registry.manifests import unchanged as manifest_unchanged
from chalicelib.storage.registry.repositories import change_size
from chalicelib.storage.table import Row, Transaction, WriteConflict, get, put_all, query
from chalicelib.storage.timers import TimerRow, timer

# Edges that are read at once: the first that counts ends the look, so that what lives costs one page.
EDGES_AT_ONCE = 25
ITEMS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Freed:
    """What was removed for good: how many manifests and blobs, and their bytes."""

    manifests: int = 0
    blobs: int = 0
    bytes: int = 0


NOTHING = Freed()


class GarbageRow(Row):
    """What has been removed since the first day; `last_at` is when it was last, in seconds."""

    manifests = Integer(default=0)
    blobs = Integer(default=0)
    bytes = Integer(default=0)
    last_at = Integer(default=0)


@dataclass(frozen=True, slots=True)
class KeepingEdge:
    """That a manifest keeps something; `ulid` is that of the push which wrote it."""

    row: UsesRow | ParentRow
    manifest: Digest

    @property
    def ulid(self) -> str:
        """The push that wrote it."""
        return self.row.ulid


class GarbageStore:
    """The collector's view of the table."""

    def count(self, freed: Freed, now: int) -> None:
        """Adds to what has been removed. A worker that dies before this has removed a little more than is told."""
        row = GarbageRow.under(keys.garbage())
        row.update(
            [
                GarbageRow.manifests.add(freed.manifests),
                GarbageRow.blobs.add(freed.blobs),
                GarbageRow.bytes.add(freed.bytes),
                GarbageRow.last_at.set(now),
            ]
        )

    def total(self) -> GarbageRow:
        """What has been removed so far."""
        return get(GarbageRow, keys.garbage()) or GarbageRow.under(keys.garbage())

    def users(self, repository_id: str, digest: Digest) -> Iterator[list[KeepingEdge]]:
        """Edges that keep a blob, some at a time."""
        rows = query(UsesRow, keys.uses(repository_id, digest), page=EDGES_AT_ONCE)
        return _pages(KeepingEdge(row, Digest.parse(row.manifest)) for row in rows)

    def parents(self, repository_id: str, digest: Digest) -> Iterator[list[KeepingEdge]]:
        """Edges that keep a manifest, some at a time."""
        rows = query(ParentRow, keys.parent(repository_id, digest), page=EDGES_AT_ONCE)
        return _pages(KeepingEdge(row, Digest.parse(row.parent)) for row in rows)

    def move_manifest(self, row: ManifestRow, state: State) -> None:
        """Gives a manifest another state. Raises WriteConflict when it changed meanwhile."""
        transaction = Transaction()
        actions = [ManifestRow.state.set(state), ManifestRow.version.set(row.version + 1)]
        transaction.update(row, *actions, condition=manifest_unchanged(row))
        transaction.commit()
        row.state, row.version = state, row.version + 1

    def wake(self, targets: Iterable[str], at: int) -> None:
        """Wakes the collector for what has lost one that kept it."""
        put_all(timer(GARBAGE, target, at) for target in targets)

    def keep(self, namespace_id: str, target: str, died_at: int) -> None:
        """Says of a timer that it stands for what a Time Machine keeps; a lease's timer did not know."""
        row = TimerRow.under(keys.timer(GARBAGE, target))
        place = TimerRow.view_at.set(keys.dead_at(died_at, target))
        transaction = Transaction()
        there = TimerRow.pk.exists()
        transaction.update(row, TimerRow.view.set(keys.view_dead(namespace_id)), place, condition=there)
        with suppress(WriteConflict):
            transaction.commit()

    def referrers(self, repository_id: str, subject: Digest) -> list[Digest]:
        """All manifests that refer to a subject."""
        return [Digest.parse(row.digest) for row in query(ReferrerRow, keys.referrer(repository_id, subject))]

    def tagged(self, repository_id: str, digest: Digest) -> list[TaggedRow]:
        """All tags that name a manifest, or did."""
        return list(query(TaggedRow, keys.tagged(repository_id, digest)))

    def remove_edges(self, edges: Iterable[Row]) -> None:
        """Removes edges that still carry the ULID they were read with; a newer push keeps its own."""
        _remove_each((row, _same_push(row)) for row in edges)

    def remove_tagged(self, edges: Sequence[TaggedRow]) -> None:
        """Removes edges of tags that have not begun another life on the manifest."""
        _remove_each((row, TaggedRow.until == row.until) for row in edges)

    def own_edges(
        self, repository_id: str, row: ManifestRow, blobs: Iterable[Digest], children: Iterable[Digest]
    ) -> list[Row]:
        """The edges that a manifest's own push wrote, as they would have to be read."""
        digest = keys.manifest_digest(row.sk)
        found: list[Row] = [UsesRow.under(keys.uses(repository_id, blob, digest), ulid=row.ulid) for blob in blobs]
        found += [ParentRow.under(keys.parent(repository_id, child, digest), ulid=row.ulid) for child in children]
        if row.subject:
            found.append(ReferrerRow.under(keys.referrer(repository_id, row.subject, digest), ulid=row.ulid))
        return found

    def remove_manifest(self, repository_id: str, row: ManifestRow) -> None:
        """Removes a manifest that is being deleted, with its bytes and what was counted of it.

        Raises WriteConflict when a push has brought it back.
        """
        transaction = Transaction()
        transaction.delete(row, manifest_unchanged(row))
        body = BodyRow.under(keys.body(repository_id, keys.manifest_digest(row.sk)))
        transaction.delete(body, (BodyRow.ulid == row.ulid) | BodyRow.pk.does_not_exist())
        transaction.delete(PullSumRow.under(keys.pulls(repository_id, str(keys.manifest_digest(row.sk)))))
        transaction.commit()

    def link(self, repository_id: str, digest: Digest) -> BlobLinkRow | None:
        """That a repository has a blob, in whatever state."""
        return get(BlobLinkRow, keys.blob_link(repository_id, digest))

    def move_link(self, row: BlobLinkRow, state: State) -> None:
        """Gives a link another state. Raises WriteConflict when it changed meanwhile."""
        transaction = Transaction()
        transaction.update(row, BlobLinkRow.state.set(state), condition=_link_unchanged(row))
        transaction.commit()
        row.state = state

    def remove_link(self, where: tuple[str, str], row: BlobLinkRow, digest: Digest, now: int) -> None:
        """Removes a link with its way back and its size, and wakes the collector for the blob.

        `where` are the ids of namespace and repository. Raises WriteConflict when a push has linked the blob again.
        """
        namespace_id, repository_id = where
        transaction = Transaction()
        transaction.delete(row, _link_unchanged(row))
        transaction.delete(LinkRow.under(keys.link(digest, repository_id)))
        change_size(transaction, namespace_id, repository_id, digest, -row.size)
        transaction.put(timer(GARBAGE, keys.bytes_target(digest), now))
        transaction.commit()

    def is_linked(self, digest: Digest) -> bool:
        """Whether any repository has a blob."""
        return any(True for _ in query(LinkRow, keys.link(digest), limit=1))

    def condemn_blob(self, row: BlobRow, now: int) -> None:
        """Condemns a blob at a second. Raises WriteConflict."""
        self._move_blob(Transaction(), row, State.CONDEMNED, now)

    def revive_blob(self, row: BlobRow) -> None:
        """Makes a condemned blob live again. Raises WriteConflict."""
        self._move_blob(Transaction(), row, State.LIVE, None)

    def doom_blob(self, row: BlobRow, digest: Digest, now: int) -> None:
        """Marks a blob as being deleted, and promises that its key goes whatever becomes of it. Raises WriteConflict."""
        transaction = Transaction()
        transaction.put(timer(GARBAGE, keys.key_target(digest, row.s3_key), now))
        self._move_blob(transaction, row, State.DELETING, row.condemned_at)

    def _move_blob(self, transaction: Transaction, row: BlobRow, state: State, condemned_at: int | None) -> None:
        condition = (BlobRow.state == row.state) & (BlobRow.s3_key == row.s3_key)
        transaction.update(
            row,
            BlobRow.state.set(state),
            BlobRow.condemned_at.set(condemned_at) if condemned_at is not None else BlobRow.condemned_at.remove(),
            condition=condition,
        )
        transaction.commit()
        row.state, row.condemned_at = state, condemned_at

    def remove_blob(self, row: BlobRow) -> None:
        """Removes a blob whose key has gone. Raises WriteConflict when a push has given it another key."""
        transaction = Transaction()
        condition = (BlobRow.s3_key == row.s3_key) & (BlobRow.state == State.DELETING)
        transaction.delete(row, condition)
        transaction.commit()


def _pages(edges: Iterator[KeepingEdge]) -> Iterator[list[KeepingEdge]]:
    page: list[KeepingEdge] = []
    for edge in edges:
        page.append(edge)
        if len(page) == EDGES_AT_ONCE:
            yield page
            page = []
    if page:
        yield page


def _same_push(row: Row) -> Condition:
    kind = type(row)
    condition: Condition = (kind.ulid == row.ulid) | kind.pk.does_not_exist()  # type: ignore[attr-defined]
    return condition


def _link_unchanged(row: BlobLinkRow) -> Condition:
    condition: Condition = (BlobLinkRow.state == row.state) & (BlobLinkRow.leased_until == row.leased_until)
    return condition


def _remove_each(rows: Iterable[tuple[Row, Condition]]) -> None:
    """Removes rows whose condition holds, many at once; those of a lost transaction one by one."""
    listed = list(rows)
    for start in range(0, len(listed), ITEMS_AT_ONCE):
        some = listed[start : start + ITEMS_AT_ONCE]
        try:
            _remove_together(some)
        except WriteConflict:
            for one in some:
                try:
                    _remove_together([one])
                except WriteConflict:
                    continue


def _remove_together(rows: Sequence[tuple[Row, Condition]]) -> None:
    transaction = Transaction()
    for row, condition in rows:
        transaction.delete(row, condition)
    transaction.commit()

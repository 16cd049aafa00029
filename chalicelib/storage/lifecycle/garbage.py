"""Reads and removes what the garbage collector examines. Each change is conditional on what was read."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

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
from chalicelib.storage.registry.repositories import RepositoryRow
from chalicelib.storage.registry.sizes import NamespaceBlobRow, remove_link, remove_manifests
from chalicelib.storage.table import Batch, Row, Transaction, WriteConflict, get, put_all, query
from chalicelib.storage.timers import TimerRow, timer

# Edges read per page. The first edge that keeps something ends the search, so that live content costs one page.
EDGES_AT_ONCE = 25
ITEMS_AT_ONCE = 50
R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class Freed:
    """What was removed for good: the number of manifests, of blobs, and of the blobs' bytes."""

    manifests: int = 0
    blobs: int = 0
    bytes: int = 0


NOTHING = Freed()


class GarbageRow(Row):
    """The total of what was removed, and the time of the last removal, in seconds."""

    manifests = Integer(default=0)
    blobs = Integer(default=0)
    bytes = Integer(default=0)
    last_at = Integer(default=0)


@dataclass(frozen=True, slots=True)
class KeepingEdge:
    """An edge by which a manifest keeps something. `ulid` is that of the push that wrote it."""

    row: UsesRow | ParentRow
    manifest: Digest

    @property
    def ulid(self) -> str:
        """The ULID of the push that wrote the edge."""
        return self.row.ulid


class GarbageStore:
    """The table as the garbage collector uses it."""

    def count(self, freed: Freed, now: int) -> None:
        """Adds to the total. A worker that dies before this call has removed more than the total says."""
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
        """Returns the total of what was removed."""
        return get(GarbageRow, keys.garbage()) or GarbageRow.under(keys.garbage())

    def users(self, repository_id: str, digest: Digest) -> Iterator[list[KeepingEdge]]:
        """Yields pages of the edges that keep a blob."""
        rows = query(UsesRow, keys.uses(repository_id, digest), page=EDGES_AT_ONCE)
        return _pages(KeepingEdge(row, Digest.parse(row.manifest)) for row in rows)

    def parents(self, repository_id: str, digest: Digest) -> Iterator[list[KeepingEdge]]:
        """Yields pages of the edges by which indexes keep a manifest."""
        rows = query(ParentRow, keys.parent(repository_id, digest), page=EDGES_AT_ONCE)
        return _pages(KeepingEdge(row, Digest.parse(row.parent)) for row in rows)

    def move_manifest(self, row: ManifestRow, state: State) -> None:
        """Changes the state of a manifest. Raises WriteConflict when it changed since it was read."""
        transaction = Transaction()
        actions = [ManifestRow.state.set(state), ManifestRow.version.set(row.version + 1)]
        transaction.update(row, *actions, condition=manifest_unchanged(row))
        transaction.commit()
        row.state, row.version = state, row.version + 1

    def wake(self, targets: Iterable[str], at: int) -> None:
        """Schedules the collector for targets that lost something that kept them."""
        put_all(timer(GARBAGE, target, at) for target in targets)

    def keep(self, namespace_id: str, target: str, died_at: int) -> None:
        """Lists a garbage timer among those of what the Time Machine keeps; the timer of a lease is not listed."""
        row = TimerRow.under(keys.timer(GARBAGE, target))
        sort_value = TimerRow.view_at.set(keys.dead_at(died_at, target))
        transaction = Transaction()
        is_there = TimerRow.pk.exists()
        transaction.update(row, TimerRow.view.set(keys.view_dead(namespace_id)), sort_value, condition=is_there)
        with suppress(WriteConflict):
            transaction.commit()

    def referrers(self, repository_id: str, subject: Digest) -> list[Digest]:
        """Returns the digests of all manifests that refer to a subject."""
        return [Digest.parse(row.digest) for row in query(ReferrerRow, keys.referrer(repository_id, subject))]

    def tagged(self, repository_id: str, digest: Digest) -> list[TaggedRow]:
        """Returns the edges of all tags that point to a manifest, or did."""
        return list(query(TaggedRow, keys.tagged(repository_id, digest)))

    def remove_edges(self, edges: Iterable[Row]) -> None:
        """Removes edges that have the ULID with which they were read. Those of a newer push stay."""
        _remove_each((row, _same_push(row)) for row in edges)

    def remove_tagged(self, edges: Sequence[TaggedRow]) -> None:
        """Removes edges of tags, except those whose tag points to the manifest again."""
        _remove_each((row, TaggedRow.until == row.until) for row in edges)

    def own_edges(
        self, repository_id: str, row: ManifestRow, blobs: Iterable[Digest], children: Iterable[Digest]
    ) -> list[Row]:
        """Returns the edges that the push of a manifest wrote, without reading them."""
        digest = keys.manifest_digest(row.sk)
        edges: list[Row] = [UsesRow.under(keys.uses(repository_id, blob, digest), ulid=row.ulid) for blob in blobs]
        edges += [ParentRow.under(keys.parent(repository_id, child, digest), ulid=row.ulid) for child in children]
        if row.subject:
            edges.append(ReferrerRow.under(keys.referrer(repository_id, row.subject, digest), ulid=row.ulid))
        return edges

    def remove_manifest(self, where: tuple[str, str], row: ManifestRow) -> None:
        """Removes a manifest with its bytes, its size and its counted pulls.

        `where` is (namespace id, repository id). Raises WriteConflict when a push restored it.
        """
        transaction, repository_id, digest = Transaction(), where[1], keys.manifest_digest(row.sk)
        transaction.delete(row, manifest_unchanged(row))
        body = BodyRow.under(keys.body(repository_id, digest))
        transaction.delete(body, (BodyRow.ulid == row.ulid) | BodyRow.pk.does_not_exist())
        transaction.delete(PullSumRow.under(keys.pulls(repository_id, str(digest))))
        remove_manifests(transaction, where, {digest: row.size})
        transaction.commit()

    def link(self, repository_id: str, digest: Digest) -> tuple[BlobLinkRow | None, RepositoryRow | None]:
        """Returns a repository's link to a blob, in any state, and the repository, with one read."""
        return _with_repository(BlobLinkRow, keys.blob_link(repository_id, digest), repository_id)

    def body(self, repository_id: str, digest: Digest) -> tuple[BodyRow | None, RepositoryRow | None]:
        """Returns the row of a manifest's bytes, and the repository, with one read."""
        return _with_repository(BodyRow, keys.body(repository_id, digest), repository_id)

    def move_link(self, row: BlobLinkRow, state: State) -> None:
        """Changes the state of a link. Raises WriteConflict when it changed since it was read."""
        transaction = Transaction()
        transaction.update(row, BlobLinkRow.state.set(state), condition=_link_unchanged(row))
        transaction.commit()
        row.state = state

    def remove_link(self, where: tuple[str, str], row: BlobLinkRow, digest: Digest, now: int) -> None:
        """Removes a link from both sides, subtracts its size, and schedules the collector for the blob.

        `where` is (namespace id, repository id). Raises WriteConflict when a push linked the blob again.
        """
        in_namespace = get(NamespaceBlobRow, keys.namespace_blob(where[0], digest))
        transaction = Transaction()
        transaction.delete(row, _link_unchanged(row))
        transaction.delete(LinkRow.under(keys.link(digest, where[1])))
        remove_link(transaction, where, digest, row.size, in_namespace)
        transaction.put(timer(GARBAGE, keys.bytes_target(digest), now))
        transaction.commit()

    def is_linked(self, digest: Digest) -> bool:
        """Whether any repository has a blob."""
        return any(True for _ in query(LinkRow, keys.link(digest), limit=1))

    def condemn_blob(self, row: BlobRow, now: int) -> None:
        """Marks a blob as condemned since `now`. Raises WriteConflict."""
        self._move_blob(Transaction(), row, State.CONDEMNED, now)

    def revive_blob(self, row: BlobRow) -> None:
        """Makes a condemned blob live. Raises WriteConflict."""
        self._move_blob(Transaction(), row, State.LIVE, None)

    def doom_blob(self, row: BlobRow, digest: Digest, now: int) -> None:
        """Marks a blob as being deleted, with a timer that deletes its S3 key in any case. Raises WriteConflict."""
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
        """Removes a blob whose S3 key is deleted. Raises WriteConflict when a push gave it another key."""
        transaction = Transaction()
        condition = (BlobRow.s3_key == row.s3_key) & (BlobRow.state == State.DELETING)
        transaction.delete(row, condition)
        transaction.commit()


def _with_repository(kind: type[R], key: keys.Key, repository_id: str) -> tuple[R | None, RepositoryRow | None]:
    batch = Batch()
    row, repository = batch.add(kind, key), batch.add(RepositoryRow, keys.repository(repository_id))
    batch.read()
    return row.row, repository.row


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
    """Removes rows whose conditions hold, many per transaction; those of a failed transaction one by one."""
    removals = list(rows)
    for start in range(0, len(removals), ITEMS_AT_ONCE):
        page = removals[start : start + ITEMS_AT_ONCE]
        try:
            _remove_together(page)
        except WriteConflict:
            for one in page:
                try:
                    _remove_together([one])
                except WriteConflict:
                    continue


def _remove_together(rows: Sequence[tuple[Row, Condition]]) -> None:
    transaction = Transaction()
    for row, condition in rows:
        transaction.delete(row, condition)
    transaction.commit()

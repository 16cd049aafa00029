"""Stores blobs, the links of repositories to them, and the edges of manifests that use them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import Condition

from chalicelib.domain.digests import Digest
from chalicelib.domain.expiry_labels import Lifetime
from chalicelib.domain.repositories import Repository
from chalicelib.domain.states import State
from chalicelib.domain.timers import GARBAGE
from chalicelib.storage import keys
from chalicelib.storage.accounts.quotas import RoomRow
from chalicelib.storage.attributes import EnumText, Integer, OptionalInteger, OptionalNumber, OptionalText
from chalicelib.storage.registry.sizes import NamespaceBlobRow, add_link
from chalicelib.storage.table import Batch, Read, Row, Transaction, absent, get, put_all, query
from chalicelib.storage.timers import timer


class BlobLinkRow(Row):
    """A repository's link to a blob. `sniffed` is 1 if its bytes were searched for `expires_after`."""

    size = Integer()
    state = EnumText(State, default=State.LIVE)
    leased_until = Integer()
    # To the millisecond, to compare it with the ULIDs of pushes.
    deleted_at = OptionalNumber()
    sniffed = Integer(default=0)
    expires_after = OptionalText()
    built_at = OptionalInteger()

    @property
    def is_living(self) -> bool:
        """Whether the link is not being deleted."""
        return self.state.is_living

    @property
    def seen(self) -> Lifetime | None:
        """The labels found in the blob; None if its bytes were not searched."""
        return Lifetime(self.expires_after, self.built_at) if self.sniffed else None


class BlobRow(Row):
    """A blob, shared by all repositories, with the current S3 key of its bytes."""

    s3_key = UnicodeAttribute()
    size = Integer()
    state = EnumText(State, default=State.LIVE)
    condemned_at = OptionalInteger()

    @property
    def is_living(self) -> bool:
        """Whether repositories may still link the blob."""
        return self.state.is_living


class LinkRow(Row):
    """A link, found by the blob."""

    repository_id = UnicodeAttribute()


class FenceRow(Row):
    """An S3 key that is being deleted, so that no upload may use it."""

    expires_at = Integer()


class UsesRow(Row):
    """The edge by which a manifest keeps a blob. `ulid` is that of the push that wrote it."""

    manifest = UnicodeAttribute()
    ulid = UnicodeAttribute()


@dataclass(frozen=True, slots=True)
class StoredContent:
    """The bytes of a blob: size, S3 key, and the labels found in them (None if they were not searched)."""

    size: int
    s3_key: str
    seen: Lifetime | None = None


class BlobView:
    """A blob and a repository's link to it, read in one batch."""

    def __init__(self, batch: Batch, repository_id: str, digest: Digest) -> None:
        self.repository_id, self.digest = repository_id, digest
        self._link: Read[BlobLinkRow] = batch.add(BlobLinkRow, keys.blob_link(repository_id, digest))
        self._blob: Read[BlobRow] = batch.add(BlobRow, keys.blob(digest))

    @property
    def link(self) -> BlobLinkRow | None:
        """The repository's link, if it is not being deleted."""
        row = self._link.row
        return row if row and row.is_living and self.blob else None

    @property
    def blob(self) -> BlobRow | None:
        """The blob, if it may still be linked."""
        row = self._blob.row
        return row if row and row.is_living else None

    @property
    def is_gone(self) -> bool:
        """Whether the repository does not have the blob, or deleted it."""
        return self.link is None or self.link.deleted_at is not None

    @property
    def stored_link(self) -> BlobLinkRow | None:
        """The link in any state."""
        return self._link.row

    @property
    def stored_blob(self) -> BlobRow | None:
        """The blob in any state."""
        return self._blob.row


class LinkableBlob(BlobView):
    """A blob that may be linked; it is also read whether another repository of the namespace has it.

    `room` is set if the bytes are new to the namespace and a quota that rejects applies to them.
    """

    room: RoomRow | None = None

    def __init__(self, batch: Batch, repository: Repository, digest: Digest) -> None:
        super().__init__(batch, repository.id, digest)
        self._in_namespace = batch.add(NamespaceBlobRow, keys.namespace_blob(repository.namespace_id, digest))

    @property
    def in_namespace(self) -> NamespaceBlobRow | None:
        """The number of links of the namespace's repositories; None if there are none."""
        return self._in_namespace.row

    def is_counted(self) -> bool:
        """Reads again whether a repository of the namespace has the blob."""
        return get(NamespaceBlobRow, self._in_namespace.key) is not None

    def added(self, size: int) -> int:
        """Returns how many bytes a link to a blob of `size` bytes adds to the namespace."""
        return 0 if self.in_namespace else size


class BlobStore:
    """The blobs in the table."""

    def get(self, digest: Digest) -> BlobRow | None:
        """Returns a blob, in any state."""
        return get(BlobRow, keys.blob(digest))

    def view(self, repository_id: str, digest: Digest) -> BlobView:
        """Reads a blob and a repository's link to it, with one read."""
        batch = Batch()
        view = BlobView(batch, repository_id, digest)
        batch.read()
        return view

    def link(
        self,
        transaction: Transaction,
        view: LinkableBlob,
        repository: Repository,
        content: StoredContent,
        leased_until: int,
    ) -> None:
        """Links a blob or renews its link, with lease, timer, sizes, blob and the link on the blob's side.

        The transaction fails if anything in `view` changed since it was read. A live blob keeps its own S3 key.
        """
        self.renew(transaction, view, content, leased_until)
        if view.stored_link is None:
            link = LinkRow.under(keys.link(view.digest, repository.id), repository_id=repository.id)
            transaction.put(link)
            where = repository.namespace_id, repository.id
            add_link(transaction, where, view.digest, content.size, view.in_namespace)
            if view.room is not None:
                view.room.take(transaction)

    def renew(self, transaction: Transaction, view: BlobView, content: StoredContent, leased_until: int) -> None:
        """Writes the link of a blob, with lease, timer and the blob, as `link` does. It must exist already."""
        self._put_blob(transaction, view, content.size, content.s3_key)
        stored = view.stored_link
        seen = content.seen or (stored.seen if stored else None)
        row = BlobLinkRow.under(
            keys.blob_link(view.repository_id, view.digest),
            size=content.size,
            leased_until=leased_until,
            expires_after=seen.label if seen else None,
            built_at=seen.built_at if seen else None,
            sniffed=int(seen is not None),
        )
        transaction.put(row, _unchanged(stored))
        transaction.put(timer(GARBAGE, keys.blob_target(view.repository_id, view.digest), leased_until))

    def _put_blob(self, transaction: Transaction, view: BlobView, size: int, s3_key: str) -> None:
        stored = view.stored_blob
        if view.blob and view.blob.state == State.LIVE:
            transaction.check(BlobRow, keys.blob(view.digest), BlobRow.state == State.LIVE)
            return
        kept = view.blob.s3_key if view.blob else s3_key
        transaction.put(BlobRow.under(keys.blob(view.digest), s3_key=kept, size=size), _unchanged(stored))

    def delete(self, repository_id: str, link: BlobLinkRow, digest: Digest, now: float) -> None:
        """Hides a link, ends its lease and schedules the collector. Raises WriteConflict when the link changed."""
        transaction = Transaction()
        actions = [BlobLinkRow.deleted_at.set(now), BlobLinkRow.leased_until.set(int(now))]
        transaction.update(link, *actions, condition=_unchanged(link))
        transaction.put(timer(GARBAGE, keys.blob_target(repository_id, digest), int(now)))
        transaction.commit()

    def named(self, digests: Sequence[Digest]) -> set[str]:
        """Returns the S3 keys of blobs, in any state."""
        batch = Batch()
        reads = [batch.add(BlobRow, keys.blob(digest)) for digest in digests]
        batch.read()
        return {read.row.s3_key for read in reads if read.row}

    def fence(self, s3_keys: Iterable[str], until: int) -> None:
        """Forbids uploads to use some S3 keys, until a second."""
        put_all(FenceRow.under(keys.fence(s3_key), expires_at=until) for s3_key in s3_keys)

    def users(self, repository_id: str, digest: Digest) -> list[Digest]:
        """Returns the digests of a repository's manifests that have edges to a blob."""
        return [Digest.parse(row.manifest) for row in query(UsesRow, keys.uses(repository_id, digest))]

    def linked(self, repository_id: str, digests: Iterable[Digest]) -> set[Digest]:
        """Returns those digests that are blobs of the repository."""
        batch = Batch()
        views = [BlobView(batch, repository_id, digest) for digest in digests]
        if views:
            batch.read()
        return {view.digest for view in views if view.link}

    def linked_from(self, digest: Digest, limit: int) -> list[str]:
        """Returns the ids of repositories that have a blob, at most `limit`."""
        return [row.repository_id for row in query(LinkRow, keys.link(digest), limit=limit)]


def _unchanged(stored: BlobLinkRow | BlobRow | None) -> Condition:
    """Returns the condition that a row is as it was read."""
    if stored is None:
        return absent()
    condition: Condition
    if isinstance(stored, BlobLinkRow):
        condition = (BlobLinkRow.state == stored.state) & (BlobLinkRow.leased_until == stored.leased_until)
    else:
        condition = (BlobRow.state == stored.state) & (BlobRow.s3_key == stored.s3_key)
    return condition

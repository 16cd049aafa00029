"""Blobs, who has them, and what holds them, as they are kept."""

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
from chalicelib.storage.registry.repositories import change_size
from chalicelib.storage.table import Batch, Read, Row, Transaction, absent, get, put_all, query
from chalicelib.storage.timers import timer


class BlobLinkRow(Row):
    """That a repository has a blob. `sniffed` is 1 where its bytes were looked at for `expires_after`."""

    size = Integer()
    state = EnumText(State, default=State.LIVE)
    leased_until = Integer()
    # To the millisecond, as what was pushed after it is told by its ULID.
    deleted_at = OptionalNumber()
    sniffed = Integer(default=0)
    expires_after = OptionalText()
    built_at = OptionalInteger()

    @property
    def is_living(self) -> bool:
        """Whether it still counts."""
        return self.state.is_living

    @property
    def seen(self) -> Lifetime | None:
        """What was seen in it, None where nobody looked."""
        return Lifetime(self.expires_after, self.built_at) if self.sniffed else None


class BlobRow(Row):
    """A blob over all repositories: where its bytes lie now."""

    s3_key = UnicodeAttribute()
    size = Integer()
    state = EnumText(State, default=State.LIVE)
    condemned_at = OptionalInteger()

    @property
    def is_living(self) -> bool:
        """Whether its bytes may still be linked to."""
        return self.state.is_living


class LinkRow(Row):
    """The way from a blob to a repository that has it."""

    repository_id = UnicodeAttribute()


class FenceRow(Row):
    """An S3 key that is being deleted: nobody adopts it any more."""

    expires_at = Integer()


class UsesRow(Row):
    """The edge from a manifest to a blob. `ulid` is that of the push that wrote it."""

    manifest = UnicodeAttribute()
    ulid = UnicodeAttribute()


@dataclass(frozen=True, slots=True)
class StoredContent:
    """The bytes of a blob: how many, under which S3 key, and what was seen in them, None where nobody looked."""

    size: int
    s3_key: str
    seen: Lifetime | None = None


class BlobView:
    """A blob as one batch of reads sees it from a repository.

    `room` is what its bytes take of a quota that refuses, where they are new to the repository.
    """

    room: RoomRow | None = None

    def __init__(self, batch: Batch, repository_id: str, digest: Digest) -> None:
        self.repository_id, self.digest = repository_id, digest
        self._link: Read[BlobLinkRow] = batch.add(BlobLinkRow, keys.blob_link(repository_id, digest))
        self._blob: Read[BlobRow] = batch.add(BlobRow, keys.blob(digest))

    @property
    def link(self) -> BlobLinkRow | None:
        """The repository's link, while it lives."""
        row = self._link.row
        return row if row and row.is_living and self.blob else None

    @property
    def blob(self) -> BlobRow | None:
        """The blob, while its bytes may be linked to."""
        row = self._blob.row
        return row if row and row.is_living else None

    @property
    def stored_link(self) -> BlobLinkRow | None:
        """The link in whatever state."""
        return self._link.row

    @property
    def stored_blob(self) -> BlobRow | None:
        """The blob in whatever state."""
        return self._blob.row


class BlobStore:
    """Blobs in the table."""

    def get(self, digest: Digest) -> BlobRow | None:
        """A blob over all repositories, in whatever state."""
        return get(BlobRow, keys.blob(digest))

    def view(self, repository_id: str, digest: Digest) -> BlobView:
        """One blob from one repository, in one read."""
        batch = Batch()
        view = BlobView(batch, repository_id, digest)
        batch.read()
        return view

    def link(
        self,
        transaction: Transaction,
        view: BlobView,
        repository: Repository,
        content: StoredContent,
        leased_until: int,
    ) -> None:
        """Links a blob, or renews what is there: lease, timer, sizes, blob and way back.

        `view` is what was read; the transaction is lost when any of it changed. A blob that lives keeps its own key.
        """
        self._put_blob(transaction, view, content.size, content.s3_key)
        stored = view.stored_link
        seen = content.seen or (stored.seen if stored else None)
        row = BlobLinkRow.under(
            keys.blob_link(repository.id, view.digest),
            size=content.size,
            leased_until=leased_until,
            expires_after=seen.label if seen else None,
            built_at=seen.built_at if seen else None,
            sniffed=int(seen is not None),
        )
        transaction.put(row, _unchanged(stored))
        if stored is None:
            way_back = LinkRow.under(keys.link(view.digest, repository.id), repository_id=repository.id)
            transaction.put(way_back)
            change_size(transaction, repository.namespace_id, repository.id, view.digest, content.size)
            if view.room is not None:
                view.room.take(transaction)
        transaction.put(timer(GARBAGE, keys.blob_target(repository.id, view.digest), leased_until))

    def _put_blob(self, transaction: Transaction, view: BlobView, size: int, s3_key: str) -> None:
        stored = view.stored_blob
        if view.blob and view.blob.state == State.LIVE:
            transaction.check(BlobRow, keys.blob(view.digest), BlobRow.state == State.LIVE)
            return
        kept = view.blob.s3_key if view.blob else s3_key
        transaction.put(BlobRow.under(keys.blob(view.digest), s3_key=kept, size=size), _unchanged(stored))

    def delete(self, repository_id: str, link: BlobLinkRow, digest: Digest, now: float) -> None:
        """Hides a link, ends its lease and wakes the collector. Raises WriteConflict when the link changed."""
        transaction = Transaction()
        actions = [BlobLinkRow.deleted_at.set(now), BlobLinkRow.leased_until.set(int(now))]
        transaction.update(link, *actions, condition=_unchanged(link))
        transaction.put(timer(GARBAGE, keys.blob_target(repository_id, digest), int(now)))
        transaction.commit()

    def named(self, digests: Sequence[Digest]) -> set[str]:
        """The S3 keys that blobs of these digests have, in whatever state."""
        batch = Batch()
        reads = [batch.add(BlobRow, keys.blob(digest)) for digest in digests]
        batch.read()
        return {read.row.s3_key for read in reads if read.row}

    def fence(self, s3_keys: Iterable[str], until: int) -> None:
        """Lets nobody adopt the keys any more, until a second."""
        put_all(FenceRow.under(keys.fence(s3_key), expires_at=until) for s3_key in s3_keys)

    def users(self, repository_id: str, digest: Digest) -> list[Digest]:
        """Manifests of a repository whose edges name the blob."""
        return [Digest.parse(row.manifest) for row in query(UsesRow, keys.uses(repository_id, digest))]

    def linked_from(self, digest: Digest, limit: int) -> list[str]:
        """Ids of repositories that have the blob, at most `limit`."""
        return [row.repository_id for row in query(LinkRow, keys.link(digest), limit=limit)]


def _unchanged(stored: BlobLinkRow | BlobRow | None) -> Condition:
    """The condition that a row is as it was read."""
    if stored is None:
        return absent()
    condition: Condition
    if isinstance(stored, BlobLinkRow):
        condition = (BlobLinkRow.state == stored.state) & (BlobLinkRow.leased_until == stored.leased_until)
    else:
        condition = (BlobRow.state == stored.state) & (BlobRow.s3_key == stored.s3_key)
    return condition

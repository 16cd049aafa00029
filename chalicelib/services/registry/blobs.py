"""Finds, mounts, adopts and deletes blobs."""

from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobInUse, BlobUnknown, Denied, NameUnknown, QuotaExceeded
from chalicelib.domain.ids import made_at
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import DELETE, PULL, PUSH, TO_DELETE, TO_FIND_BLOB, TO_PULL, Actor, Need
from chalicelib.domain.repositories import Repository
from chalicelib.domain.states import State
from chalicelib.services.accounts.quotas import check_room
from chalicelib.services.registry.direct_uploads import DirectUploads
from chalicelib.services.registry.repositories import Repositories
from chalicelib.services.registry.tagged_indexes import TaggedIndexes
from chalicelib.services.security.access import Access
from chalicelib.storage import bucket_keys, keys
from chalicelib.storage.registry.blobs import BlobView, FenceRow, LinkableBlob, StoredContent
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.registry.repositories import PermissionRow, RepositoryRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch, Read, Transaction, absent, retry_on_conflict

# How many of a blob's repositories a mount without a source looks at.
MOUNT_SOURCES = 40


@dataclass(frozen=True, slots=True)
class BlobLocation:
    """A blob that may be pulled, and the key of its bytes. `size` is in bytes."""

    digest: Digest
    size: int
    s3_key: str


class Blobs:
    """Blobs of repositories."""

    def __init__(
        self, access: Access, stores: Stores, direct_uploads: DirectUploads, repositories: Repositories
    ) -> None:
        self._access, self._store, self._stores = access, stores.blobs, stores
        self._direct_uploads, self._repositories, self._indexes = direct_uploads, repositories, TaggedIndexes(stores)
        self._lease, self._clock = stores.lease, stores.clock

    def find(self, actor: Actor, name: RepositoryName, digest: Digest, *, promise: bool = False) -> BlobLocation:
        """Finds a blob of a repository. Raises Unauthenticated, NameUnknown, BlobUnknown.

        `promise` is for a HEAD: a client skips the upload of a blob that exists, so a short lease is renewed. That, and
        the adoption of a direct upload, are writes: they are left out if the actor may no longer push.
        """
        repository = self._repository(actor, name, digest, TO_FIND_BLOB if promise else TO_PULL)
        pushes = self._access.may(actor, name, PUSH)
        view = self._store.view(repository.id, digest)
        if view.is_gone and pushes and self._adopt_found(actor, repository, digest):
            view = self._store.view(repository.id, digest)
        if view.link is None or view.blob is None or not self._is_visible(view):
            raise BlobUnknown(str(name), str(digest))
        if promise and pushes:
            self._renew(actor, repository, view)
        return BlobLocation(digest, view.link.size, view.blob.s3_key)

    def _repository(self, actor: Actor, name: RepositoryName, digest: Digest, need: Need) -> Repository:
        """Returns a blob's repository. One that only an upload has begun is created if the edge has the blob for it.

        Raises Unauthenticated, NameUnknown.
        """
        grant = self._access.granted(actor, name, need)
        repository = self._access.known(grant, name)
        if repository is None and self._direct_uploads.has_edge and self._access.may(actor, name, PUSH):
            begun = self._repositories.begun(grant, name)
            if begun and self._direct_uploads.latest(begun, digest):
                repository = self._repositories.for_push(actor, name)
        if repository is None:
            raise NameUnknown(str(name))
        return repository

    def _is_visible(self, view: BlobView) -> bool:
        """Returns whether a blob is visible: a deleted one only while a pullable manifest needs it."""
        if view.link is None or view.link.deleted_at is None:
            return view.link is not None
        return self._pullable_user(view.repository_id, view.digest) is not None

    def _pullable_user(self, repository_id: str, digest: Digest) -> Digest | None:
        users = self._store.users(repository_id, digest)
        batch = Batch()
        reads = {user: batch.add(ManifestRow, keys.manifest(repository_id, user)) for user in users}
        if reads:
            batch.read()
        rows = {user: read.row for user, read in reads.items() if read.row}
        passed = set[Digest]()
        # A deleted manifest takes more reads, so that the others are looked at first.
        for user in sorted(rows, key=lambda user: not rows[user].is_pullable):
            if self._indexes.is_pullable(repository_id, user, rows[user], passed):
                return user
        return None

    def _adopt_found(self, actor: Actor, repository: Repository, digest: Digest) -> bool:
        try:
            return self.adopt(actor, repository, digest) is not None
        except QuotaExceeded:
            raise
        except Denied:
            return False

    def _renew(self, actor: Actor, repository: Repository, view: BlobView) -> None:
        link, blob = view.link, view.blob
        if link is None or blob is None:
            return
        is_live = link.state == State.LIVE and link.deleted_at is None
        if is_live and not self._lease.is_short(link.leased_until, self._clock()):
            return
        with suppress(Denied):
            self.hold(actor, repository, view.digest)

    def _link_again(self, actor: Actor, repository: Repository, digest: Digest) -> bool:
        """Renews the lease of a blob of the repository; returns False if it has been deleted meanwhile."""
        batch = Batch()
        view, rights = BlobView(batch, repository.id, digest), self._access.recheck(batch, actor, repository)
        batch.read()
        rights.check(PUSH)
        if view.link is None or view.blob is None:
            return False
        transaction, until = Transaction(), self._lease.until(self._clock())
        self._store.renew(transaction, view, StoredContent(view.link.size, view.blob.s3_key), until)
        transaction.commit()
        return True

    def hold(self, actor: Actor, repository: Repository, digest: Digest) -> bool:
        """Renews a blob's lease and makes a condemned one live; returns False if it has been deleted meanwhile.

        Raises Denied, NameUnknown if the actor may no longer push.
        """
        return retry_on_conflict(lambda: self._link_again(actor, repository, digest))

    def adopt(self, actor: Actor, repository: Repository, digest: Digest) -> int | None:
        """Links a blob that the upload edge wrote for this repository; returns its size, None if there is none.

        Raises Denied, NameUnknown if the actor may no longer push.
        """
        return self._adopt_latest(actor, repository, digest) if self._direct_uploads.has_edge else None

    def adopt_presigned(self, actor: Actor, repository: Repository, digest: Digest, upload_id: str) -> bool:
        """Links a blob that was put under a presigned address; returns False if there is none.

        Raises Denied, NameUnknown if the actor may no longer push: the address may have been presigned a while ago.
        What this upload put, or still puts, is then adopted by no other request either: its key is fenced.
        """
        batch = Batch()
        rights = self._access.recheck(batch, actor, repository)
        batch.read()
        try:
            rights.check(PUSH)
            return self._adopt_latest(actor, repository, digest) is not None
        except (Denied, NameUnknown):
            self._direct_uploads.remove_unnamed({bucket_keys.edge_prefix(repository.id, digest) + upload_id: digest})
            raise

    def _adopt_latest(self, actor: Actor, repository: Repository, digest: Digest) -> int | None:
        latest = self._direct_uploads.latest(repository.id, digest) if digest.algorithm == "sha256" else None
        if latest is None or not retry_on_conflict(lambda: self._adopt(actor, repository, digest, latest)):
            return None
        return latest[1]

    def _adopt(self, actor: Actor, repository: Repository, digest: Digest, latest: tuple[str, int]) -> bool:
        (s3_key, size), batch = latest, Batch()
        view = LinkableBlob(batch, repository, digest)
        fence = batch.add(FenceRow, keys.fence(s3_key))
        rights = self._access.recheck(batch, actor, repository)
        batch.read()
        rights.check(PUSH)
        if view.link is not None and view.link.deleted_at is None:
            return True
        is_old = view.link is not None and made_at(s3_key.rpartition("/")[2]) <= (view.link.deleted_at or 0)
        # The blob was adopted before and deleted since: it does not come back because its bytes are still there.
        was_adopted = view.link is None and view.blob is not None and view.blob.s3_key == s3_key
        if fence.row is not None or is_old or was_adopted:
            return False
        if view.stored_link is None:
            view.room = check_room(rights.namespace, view.added(size), self._clock(), view.is_counted)
        transaction, until = Transaction(), self._lease.until(self._clock())
        transaction.check(FenceRow, keys.fence(s3_key), absent())
        self._store.link(transaction, view, repository, StoredContent(size, s3_key), until)
        transaction.commit()
        return True

    def mount_into(self, actor: Actor, name: RepositoryName, digest: Digest, source: RepositoryName | None) -> bool:
        """Mounts a blob into a repository, which is created if needed, and only if the blob exists.

        Returns False if it does not. Raises Unauthenticated, Denied, NameUnknown, QuotaExceeded.
        """
        target = self._repositories.known(actor, name)
        if target is None:
            views = [self._store.view(origin, digest) for origin in self._origins(actor, digest, source)]
            if all(view.is_gone for view in views):
                return False
            target = self._repositories.for_push(actor, name)
        return self.mount(actor, target, digest, source)

    def _origins(self, actor: Actor, digest: Digest, source: RepositoryName | None) -> list[str]:
        return self._any_origins(actor, digest) if source is None else self._origin(actor, source)

    def mount(self, actor: Actor, target: Repository, digest: Digest, source: RepositoryName | None) -> bool:
        """Links a blob of another repository; returns False if it does not exist there or may not be read."""
        origins = self._origins(actor, digest, source)
        return any(retry_on_conflict(partial(self._mount, actor, target, digest, origin)) for origin in origins)

    def _origin(self, actor: Actor, source: RepositoryName) -> list[str]:
        if not self._access.may(actor, source, PULL):
            return []
        repository = self._access.known(actor.grants[str(source)], source)
        return [repository.id] if repository else []

    def _any_origins(self, actor: Actor, digest: Digest) -> list[str]:
        """Returns ids of repositories that have the blob and that the actor may read, for a mount without a source."""
        rows = self._stores.repositories.get_all(self._store.linked_from(digest, MOUNT_SOURCES))
        batch = Batch()
        permissions: dict[str, Read[PermissionRow]] = {}
        if actor.account_id is not None:
            for identifier in rows:
                permissions[identifier] = batch.add(PermissionRow, keys.permission(identifier, actor.account_id))
        if permissions:
            batch.read()
        return [identifier for identifier, row in rows.items() if _may_read(actor, row, permissions.get(identifier))]

    def _mount(self, actor: Actor, target: Repository, digest: Digest, origin_id: str) -> bool:
        batch = Batch()
        origin = BlobView(batch, origin_id, digest)
        view = LinkableBlob(batch, target, digest)
        rights = self._access.recheck(batch, actor, target)
        batch.read()
        rights.check(PUSH)
        if origin.link is None or origin.blob is None or origin.link.deleted_at is not None:
            return False
        until, size = self._lease.until(self._clock()), origin.link.size
        if view.stored_link is None:
            view.room = check_room(rights.namespace, view.added(size), self._clock(), view.is_counted)
        transaction = Transaction()
        content = StoredContent(size, origin.blob.s3_key, origin.link.seen)
        self._store.link(transaction, view, target, content, until)
        transaction.commit()
        return True

    def delete(self, actor: Actor, name: RepositoryName, digest: Digest) -> None:
        """Deletes a blob from a repository. Raises BlobUnknown, and BlobInUse while a pullable manifest needs it."""
        repository = self._access.repository(actor, name, TO_DELETE)

        def attempt() -> None:
            batch = Batch()
            view = BlobView(batch, repository.id, digest)
            rights = self._access.recheck(batch, actor, repository)
            batch.read()
            rights.check(DELETE)
            if view.link is None or not self._is_visible(view):
                raise BlobUnknown(str(name), str(digest))
            user = self._pullable_user(repository.id, digest)
            if user is not None:
                raise BlobInUse(str(digest), str(user))
            self._store.delete(repository.id, view.link, digest, self._clock())

        retry_on_conflict(attempt)


def _may_read(actor: Actor, row: RepositoryRow, permission: Read[PermissionRow] | None) -> bool:
    if not row.is_live:
        return False
    is_owner = actor.account_id is not None and row.namespace_id == actor.account_id
    return is_owner or row.is_public or (permission is not None and permission.row is not None)

"""Creates, changes and deletes repositories."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.domain.errors import Denied, NamespaceFilled, NameUnknown, RepositoryClosed, RepositoryTaken
from chalicelib.domain.events import CHANGE_STATE, CHANGE_VISIBILITY, CREATE_REPOSITORY, DELETE_REPOSITORY, DESCRIBE
from chalicelib.domain.ids import ulid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import PUSH, TO_PUSH, Actor, Grant, HolderKind, Role, permits
from chalicelib.domain.repositories import Mode, Repository, Visibility, listed_description, parse_description
from chalicelib.domain.scopes import REPO_ADMIN, allows
from chalicelib.domain.states import NamespaceState, NamespaceUpstream
from chalicelib.domain.timers import PURGE_REPOSITORY
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.security.access import Access
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountRow, holds
from chalicelib.storage.accounts.permissions import RoleHolder
from chalicelib.storage.registry.repositories import BegunRepositoryRow, RepositoryNameRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch, Transaction, WriteConflict, retry_on_conflict
from chalicelib.storage.timers import timer

# Seconds for which the id of a repository is kept into which uploads have begun, longer than any upload's.
BEGUN_S = 7 * 86_400

if TYPE_CHECKING:
    from chalicelib.services.accounts.prototypes import Prototypes
    from chalicelib.storage.mirroring.proxy_caches import ProxyCacheRow


@dataclass(frozen=True, slots=True)
class NewRepository:
    """A repository to create."""

    name: RepositoryName
    visibility: Visibility = Visibility.PRIVATE
    description: str = ""


class Repositories:
    """Repositories. `prototypes` returns the service of default permissions, which only organizations need."""

    def __init__(
        self, access: Access, usage_log: UsageLog, stores: Stores, prototypes: "Callable[[], Prototypes]"
    ) -> None:
        self._access, self._usage_log, self._store, self._accounts = (
            access,
            usage_log,
            stores.repositories,
            stores.accounts,
        )
        self._stores, self._permissions, self._prototypes = stores, stores.permissions, prototypes
        # A push that began before a deletion may still write for so many seconds.
        self._settled_s, self._clock = stores.settings.drained_s, stores.clock

    def for_push(self, actor: Actor, name: RepositoryName) -> Repository:
        """Returns the repository; creates a private one if it does not exist and the actor may.

        Raises Unauthenticated, Denied, NameUnknown.
        """
        repository = self.known(actor, name)
        return repository or self._create_by_push(actor, name, actor.grants[str(name)].namespace_id or "")

    def _create_by_push(self, actor: Actor, name: RepositoryName, namespace_id: str) -> Repository:
        batch = Batch()
        read = batch.add(AccountRow, keys.account(actor.account_id or ""))
        read_begun = batch.add(BegunRepositoryRow, keys.begun_repository(namespace_id, name.repository))
        credential = self._access.credential(batch, actor)
        batch.read()
        account, begun = read.row, read_begun.row.repository_id if read_begun.row else None
        if account is None or not holds(read, actor.epoch) or not credential.are_valid():
            raise Denied(str(name), PUSH)

        def attempt() -> Repository:
            nonlocal begun
            if account.id != namespace_id and not permits(self._access.walk(account, name).actions, PUSH):
                # The right was removed after the token was issued.
                raise Denied(str(name), PUSH)
            try:
                return self._create(actor, NewRepository(name), namespace_id, (begun,))
            except WriteConflict:
                begun = self._store.begun(namespace_id, name)
                return self._created_meanwhile(namespace_id, name)

        return retry_on_conflict(attempt)

    def known(self, actor: Actor, name: RepositoryName) -> Repository | None:
        """Returns a repository that the actor's token may push into; None if it does not exist, but may be created.

        Raises Unauthenticated, NameUnknown.
        """
        grant = self._access.granted(actor, name, TO_PUSH)
        repository = self._access.known(grant, name)
        if repository is None and grant.namespace_id is None:
            raise NameUnknown(str(name))
        return repository

    def for_upload(self, actor: Actor, name: RepositoryName) -> Repository:
        """Returns the repository of an upload that begins. One that does not exist is created when bytes come.

        Until then it has only an id, the same one for all uploads. Raises Unauthenticated, NameUnknown.
        """
        repository = self.known(actor, name)
        if repository is not None:
            return repository
        namespace_id, now = actor.grants[str(name)].namespace_id or "", self._clock()
        begun = self._store.begin(namespace_id, name, ulid(now), int(now) + BEGUN_S)
        # It may have been created since it was looked for.
        row = self._store.find(namespace_id, name)
        return Repository(row.repository_id if row else begun, namespace_id, name)

    def begun(self, grant: Grant, name: RepositoryName) -> str | None:
        """Returns the id of a repository that does not exist, but into which an upload has begun; None without one."""
        return self._store.begun(grant.namespace_id, name) if grant.namespace_id else None

    def _created_meanwhile(self, namespace_id: str, name: RepositoryName) -> Repository:
        row = self._store.find(namespace_id, name)
        if row is not None:
            return Repository(row.repository_id, namespace_id, name)
        namespace = self._accounts.namespace(namespace_id)
        if namespace is None or namespace.state != NamespaceState.LIVE:
            raise NameUnknown(str(name))
        if namespace.upstream is not None:
            raise RepositoryClosed(str(name), namespace.upstream)
        raise WriteConflict

    def create(self, actor: Actor, new: NewRepository) -> Repository:
        """Creates a repository. Raises RepositoryTaken, NamespaceFilled, FieldInvalid, Denied."""
        parse_description(new.description)

        def attempt() -> Repository:
            namespace = self._access.creatable(actor, new.name.namespace)
            try:
                return self._create(actor, new, namespace.id)
            except WriteConflict:
                if self._store.find(namespace.id, new.name) is not None:
                    raise RepositoryTaken(str(new.name)) from None
                self._check_own(namespace.id)
                raise

        return retry_on_conflict(attempt)

    def _check_own(self, namespace_id: str) -> None:
        """Raises NamespaceFilled if a namespace's repositories come from another registry."""
        namespace = self._accounts.namespace(namespace_id)
        if namespace is not None and namespace.upstream is not None:
            raise NamespaceFilled(namespace.name, namespace.upstream)

    def add_mirrored(self, transaction: Transaction, robot: Actor, new: NewRepository, namespace_id: str) -> Repository:
        """Adds to a transaction a repository that the mirror of its organization fills, by a robot that may write."""
        now = self._clock()
        created = Repository(ulid(now), namespace_id, new.name)
        self._store.add_mirrored(transaction, created, new.visibility, robot.account_id or "", int(now))
        self._give_writer(transaction, created, RoleHolder(robot.account_id or "", robot.name, HolderKind.ROBOT))
        return created

    def _give_writer(self, transaction: Transaction, created: Repository, holder: RoleHolder) -> None:
        """Lets a robot write into a new repository, and gives the roles of the namespace's default permissions."""
        self._accounts.require_live_namespace(transaction, created.namespace_id)
        where = created.namespace_id, created.id
        self._permissions.put(transaction, where, holder, Role.WRITE, is_new=True)
        self._prototypes().apply(transaction, created, holder.id)

    def add_cached(self, actor: Actor, cache: "ProxyCacheRow", keeper: Actor, name: RepositoryName) -> Repository:
        """Creates a private repository of a proxy cache, into which its keeper writes, or returns the one that exists.

        Raises NameUnknown if the organization is the proxy cache no more.
        """
        namespace_id = cache.namespace_id

        def attempt() -> Repository:
            now, transaction = self._clock(), Transaction()
            created = Repository(ulid(now), namespace_id, name)
            self._store.add(transaction, created, Visibility.PRIVATE, created_at=int(now))
            self._stores.proxy_caches.require(transaction, cache)
            self._give_writer(transaction, created, RoleHolder(cache.keeper_id, keeper.name, HolderKind.ROBOT))
            metadata = {"repository": str(name)}
            self._usage_log.record_for_repository(actor, transaction, CREATE_REPOSITORY, created, metadata)
            try:
                transaction.commit()
            except WriteConflict:
                return self._cached_meanwhile(cache, name)
            return created

        return retry_on_conflict(attempt)

    def _cached_meanwhile(self, cache: "ProxyCacheRow", name: RepositoryName) -> Repository:
        row, current = self._store.find(cache.namespace_id, name), self._stores.proxy_caches.get(cache.namespace_id)
        if row is not None:
            return Repository(row.repository_id, cache.namespace_id, name)
        if current is None or current.keeper_id != cache.keeper_id:
            raise NameUnknown(str(name))
        raise WriteConflict

    def _create(
        self, actor: Actor, new: NewRepository, namespace_id: str, begun: tuple[str | None] | None = None
    ) -> Repository:
        """Creates a repository and its permissions in one transaction. Raises WriteConflict.

        A push gives the id with which an upload has begun, or None if there is none.
        """
        now = self._clock()
        created = Repository((begun and begun[0]) or ulid(now), namespace_id, new.name)
        transaction = Transaction()
        if begun is not None:
            self._store.end_begun(transaction, created, begun[0])
        self._store.add(transaction, created, new.visibility, new.description, int(now))
        self._accounts.require_own_namespace(transaction, namespace_id)
        if actor.account_id and actor.account_id != namespace_id:
            creator = RoleHolder(actor.account_id, actor.name, HolderKind(actor.kind))
            self._permissions.put(transaction, (namespace_id, created.id), creator, Role.ADMIN, is_new=True)
            self._prototypes().apply(transaction, created, creator.id)
        self._usage_log.record_for_repository(
            actor, transaction, CREATE_REPOSITORY, created, {"repository": str(new.name)}
        )
        transaction.commit()
        return created

    def describe(self, actor: Actor, name: RepositoryName, description: str) -> None:
        """Changes the description. Raises FieldInvalid, NameUnknown, Denied."""
        parse_description(description)
        self._change(actor, name, Role.WRITE, (DESCRIBE, "description"), description=description)

    def change_visibility(self, actor: Actor, name: RepositoryName, visibility: Visibility) -> None:
        """Makes a repository public or private. Raises NameUnknown, Denied."""
        self._change(actor, name, Role.ADMIN, (CHANGE_VISIBILITY, "visibility"), visibility=visibility)

    def change_mode(self, actor: Actor, name: RepositoryName, mode: Mode) -> None:
        """Makes a repository normal, read-only or a mirror. Raises NamespaceFilled, NameUnknown, Denied."""
        self._change(actor, name, Role.ADMIN, (CHANGE_STATE, "state_changed"), mode=mode)

    def _change(self, actor: Actor, name: RepositoryName, role: Role, kind: tuple[str, str], **changed: str) -> None:
        """Changes a repository's row. `kind` is the event in the usage log, and its field for the new value."""

        def attempt() -> None:
            repository_access = self._access.require_role(actor, name, role)
            if "mode" in changed and repository_access.row.mode is Mode.ORG_MIRROR:
                raise NamespaceFilled(name.namespace, NamespaceUpstream.ORG_MIRROR)
            transaction, (event, field) = Transaction(), kind
            self._store.change(transaction, repository_access.row, **changed)
            if "mode" in changed and repository_access.row.mirror_robot is not None:
                self._reschedule(transaction, repository_access.repository, Mode(changed["mode"]))
            metadata = {"repository": str(name), field: listed_description(next(iter(changed.values())))}
            self._usage_log.record_for_repository(actor, transaction, event, repository_access.repository, metadata)
            transaction.commit()

        retry_on_conflict(attempt)

    def _reschedule(self, transaction: Transaction, repository: Repository, mode: Mode) -> None:
        """Lets the schedule of a repository's mirror begin runs only in the state MIRROR."""
        mirrors = self._stores.mirrors
        row = mirrors.get(repository.id)
        if row is None:
            raise WriteConflict
        version = row.version
        mirrors.schedule(transaction, row, mode, self._clock())
        mirrors.put(transaction, row, version)

    def delete(self, actor: Actor, name: RepositoryName) -> None:
        """Deletes a repository: its name is free at once, and it can be restored for the namespace's window.

        Succeeds if it does not exist and the actor's token could have deleted it. Raises Denied.
        """
        try:
            retry_on_conflict(lambda: self._delete(actor, name))
        except NameUnknown:
            if not allows(actor.scopes, REPO_ADMIN):
                raise Denied(str(name), Role.ADMIN) from None

    def _delete(self, actor: Actor, name: RepositoryName) -> None:
        repository_access = self._access.require_role(actor, name, Role.ADMIN)
        repository, now = repository_access.repository, int(self._clock())
        transaction = Transaction()
        self._mark_deleted(transaction, repository, repository_access.row, now)
        self._usage_log.record_for_repository(
            actor, transaction, DELETE_REPOSITORY, repository, {"repository": str(name)}
        )
        transaction.commit()

    def _mark_deleted(self, transaction: Transaction, repository: Repository, row: RepositoryNameRow, now: int) -> None:
        namespace = self._accounts.namespace(repository.namespace_id)
        window_s = namespace.window_s if namespace else 0
        purge_at = now + max(window_s, self._settled_s)
        self._store.mark_deleted(transaction, repository.namespace_id, row, ulid(now), (now, purge_at))
        if row.mirror_robot is not None:
            self._stores.mirrors.suspend(transaction, row)
        transaction.put(timer(PURGE_REPOSITORY, repository.id, purge_at))

"""Lists and restores deleted repositories within the Time Machine's window, and purges them after it."""

from dataclasses import dataclass

from chalicelib.domain.errors import NamespaceFilled, ResourceUnknown, RestoreTaken, RestoreTooLate
from chalicelib.domain.events import RESTORE_REPOSITORY
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor
from chalicelib.domain.repositories import Mode, Repository, Visibility
from chalicelib.domain.scopes import REPO_ADMIN, allows
from chalicelib.domain.states import NamespaceState, NamespaceUpstream, RepositoryState
from chalicelib.domain.timers import Due, HasTime, Later
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.security.access import Access, NamespaceAccess, refusal
from chalicelib.storage.registry.repositories import DeletedRepositoryRow, RepositoryRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, WriteConflict, retry_on_conflict


@dataclass(frozen=True, slots=True)
class DeletedRepository:
    """A repository that can be restored until a second since the epoch. `name` is without the namespace."""

    id: str
    namespace: str
    name: str
    is_public: bool
    description: str
    deleted_at: int
    restorable_until: int


class RepositoryDeletion:
    """Manages deleted repositories. A push from before a delete may write for `settled_s` seconds after it."""

    def __init__(self, access: Access, usage_log: UsageLog, stores: Stores) -> None:
        self._access, self._usage_log, self._store = access, usage_log, stores.repository_deletion
        self._repositories, self._accounts, self._stores = stores.repositories, stores.accounts, stores
        self._settled_s, self._clock = stores.settings.drained_s, stores.clock

    def of_namespace(self, actor: Actor, namespace: str) -> list[DeletedRepository]:
        """Returns the repositories that an administrator of the namespace can restore, the last deleted first.

        Raises ResourceUnknown, Unauthenticated, Denied.
        """
        namespace_access = self._administered(actor, namespace)
        rows = [row for row in self._store.of_namespace(namespace_access.id) if row.state == RepositoryState.DELETED]
        window_s = self._window_s(namespace_access.id)
        deleted = [
            _deleted(row, namespace_access.name, window_s) for row in rows if self._clock() < row.deleted_at + window_s
        ]
        return sorted(deleted, key=lambda one: (-one.deleted_at, one.name))

    def restore(self, actor: Actor, repository_id: str, name: str | None = None) -> RepositoryName:
        """Restores a repository, under another name if one is given, and returns its name.

        Raises RestoreTaken if another repository has the name, RestoreTooLate if something may be removed already,
        NamespaceFilled in a proxy cache, ResourceUnknown, NameInvalid, Unauthenticated, Denied.
        """
        return retry_on_conflict(lambda: self._restore(actor, repository_id, name))

    def _restore(self, actor: Actor, repository_id: str, name: str | None) -> RepositoryName:
        found = self._store.find(repository_id)
        if found is None:
            raise ResourceUnknown("deleted repository", repository_id)
        repository, deletion = found
        namespace = self._accounts.namespace(repository.namespace_id)
        namespace_access = self._administered(actor, namespace.name if namespace else repository.namespace)
        if namespace is not None and namespace.upstream is NamespaceUpstream.PROXY_CACHE:
            # Every member may pull whatever a proxy cache has.
            raise NamespaceFilled(namespace.name, namespace.upstream)
        full = RepositoryName.parse(f"{namespace_access.name}/{name or deletion.name}")
        if deletion.state != RepositoryState.DELETED or self._clock() >= deletion.deleted_at + self._window_s(
            namespace_access.id
        ):
            raise RestoreTooLate(str(full))
        restored = Repository(repository_id, namespace_access.id, full)
        transaction = Transaction()
        if deletion.mode is Mode.ORG_MIRROR:
            self._leave_mirror(transaction, deletion)
        self._store.restore(transaction, repository, deletion, full)
        if deletion.mirror_robot is not None:
            self._restore_mirror(transaction, repository.namespace_id, deletion, deletion.mirror_robot)
        self._accounts.require_live_namespace(transaction, namespace_access.id)
        self._usage_log.record_for_repository(
            actor, transaction, RESTORE_REPOSITORY, restored, {"repository": str(full)}
        )
        try:
            transaction.commit()
        except WriteConflict:
            if self._repositories.find(namespace_access.id, full) is not None:
                raise RestoreTaken(str(full)) from None
            raise
        return full

    def _leave_mirror(self, transaction: Transaction, deletion: DeletedRepositoryRow) -> None:
        """Lets a repository be restored as NORMAL that the mirror of its organization filled, and may fill anew."""
        row = self._stores.mirrors.get(deletion.repository_id)
        if row is not None:
            self._stores.mirrors.remove(transaction, row)
        deletion.mode, deletion.mirror_robot = Mode.NORMAL, None

    def _restore_mirror(
        self, transaction: Transaction, namespace_id: str, deletion: DeletedRepositoryRow, robot_id: str
    ) -> None:
        """Begins the schedule of a restored repository's mirror again, with its robot if that still exists."""
        mirrors, account = self._stores.mirrors, self._accounts.get(robot_id)
        row = mirrors.get(deletion.repository_id)
        if row is None:
            raise WriteConflict
        version = row.version
        mirrors.resume(transaction, row, deletion.mode, self._clock())
        mirrors.put(transaction, row, version)
        robot = self._accounts.robot(namespace_id, account.name.partition("+")[2]) if account else None
        if robot is not None:
            self._accounts.hold_robot(transaction, robot)
            mirrors.engage(transaction, robot_id, deletion.repository_id)

    def _administered(self, actor: Actor, namespace: str) -> NamespaceAccess:
        namespace_access = self._access.namespace_access(actor, namespace)
        if namespace_access is None:
            raise ResourceUnknown("namespace", namespace)
        if not namespace_access.is_admin or not allows(actor.scopes, REPO_ADMIN):
            raise refusal(actor, namespace, "administer")
        return namespace_access

    def _window_s(self, namespace_id: str) -> int:
        namespace = self._accounts.namespace(namespace_id)
        return namespace.window_s if namespace and namespace.state == NamespaceState.LIVE else 0

    def work(self, due: Due, has_time: HasTime) -> Later | None:
        """Purges a deleted repository when nobody can restore it and no push from before the delete can still write.

        It removes rows until it finds none, so that late writes are removed too. An interrupted purge is continued.
        """
        found = self._store.find(due.target)
        if found is None:
            return None
        repository, deletion = found
        end = deletion.deleted_at + max(self._window_s(repository.namespace_id), self._settled_s)
        if end > self._clock():
            return Later(end)
        retry_on_conflict(lambda: self._store.begin_purge(repository, deletion))
        return self._purge(repository, deletion, has_time)

    def _purge(self, repository: RepositoryRow, deletion: DeletedRepositoryRow, has_time: HasTime) -> Later | None:
        now = int(self._clock())
        while self._store.remove_some(repository, now):
            if not has_time():
                return Later(now)
        self._store.finish_purge(repository, deletion)
        return None


def _deleted(row: DeletedRepositoryRow, namespace: str, window_s: int) -> DeletedRepository:
    return DeletedRepository(
        row.repository_id,
        namespace,
        row.name,
        row.visibility == Visibility.PUBLIC,
        row.description,
        row.deleted_at,
        row.deleted_at + window_s,
    )

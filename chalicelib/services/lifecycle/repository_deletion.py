"""Deleted repositories: listed and brought back within the Time Machine's window, and taken apart after it."""

from dataclasses import dataclass

from chalicelib.domain.errors import ResourceUnknown, RestoreTaken, RestoreTooLate
from chalicelib.domain.events import RESTORE_REPOSITORY
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor
from chalicelib.domain.repositories import Repository, Visibility
from chalicelib.domain.scopes import REPO_ADMIN, allows
from chalicelib.domain.states import NamespaceState, RepositoryState
from chalicelib.domain.timers import Due, HasTime, Later
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.security.access import Access, NamespaceAccess, refusal
from chalicelib.storage.registry.repositories import DeletedRepositoryRow, RepositoryRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, WriteConflict, retry_on_conflict


@dataclass(frozen=True, slots=True)
class DeletedRepository:
    """A repository that can be brought back until a second. `name` is its own, without its namespace's."""

    id: str
    namespace: str
    name: str
    is_public: bool
    description: str
    deleted_at: int
    restorable_until: int


class RepositoryDeletion:
    """Deleted repositories. `settled_s` is how long after a delete a push that began before it may still write."""

    def __init__(self, access: Access, usage: UsageLog, stores: Stores) -> None:
        self._access, self._usage, self._store = access, usage, stores.repository_deletion
        self._repositories, self._accounts = stores.repositories, stores.accounts
        self._settled_s, self._clock = stores.settings.drained_s, stores.clock

    def of_namespace(self, actor: Actor, namespace: str) -> list[DeletedRepository]:
        """What can be brought back in a namespace, for those who administer it, the last deleted first.

        Raises NothingThere, Unauthenticated, Denied.
        """
        place = self._administered(actor, namespace)
        rows = [row for row in self._store.of_namespace(place.id) if row.state == RepositoryState.DELETED]
        window_s = self._window_s(place.id)
        found = [_deleted(row, place.name, window_s) for row in rows if self._clock() < row.deleted_at + window_s]
        return sorted(found, key=lambda one: (-one.deleted_at, one.name))

    def restore(self, actor: Actor, repository_id: str, name: str | None = None) -> RepositoryName:
        """Brings a repository back, under another name where one is given; gives its name.

        Raises RestoreTaken when the name is another's now, RestoreTooLate when something may be gone already,
        NothingThere, NameInvalid, Unauthenticated, Denied.
        """
        return retry_on_conflict(lambda: self._restore(actor, repository_id, name))

    def _restore(self, actor: Actor, repository_id: str, name: str | None) -> RepositoryName:
        found = self._store.find(repository_id)
        if found is None:
            raise ResourceUnknown("deleted repository", repository_id)
        back, gone = found
        namespace = self._accounts.namespace(back.namespace_id)
        place = self._administered(actor, namespace.name if namespace else back.namespace)
        full = RepositoryName.parse(f"{place.name}/{name or gone.name}")
        if gone.state != RepositoryState.DELETED or self._clock() >= gone.deleted_at + self._window_s(place.id):
            raise RestoreTooLate(str(full))
        restored = Repository(repository_id, place.id, full)
        transaction = Transaction()
        self._store.restore(transaction, back, gone, full)
        self._accounts.require_live_namespace(transaction, place.id)
        self._usage.record(actor, transaction, RESTORE_REPOSITORY, restored, {"repository": str(full)})
        try:
            transaction.commit()
        except WriteConflict:
            if self._repositories.find(place.id, full) is not None:
                raise RestoreTaken(str(full)) from None
            raise
        return full

    def _administered(self, actor: Actor, namespace: str) -> NamespaceAccess:
        place = self._access.place(actor, namespace)
        if place is None:
            raise ResourceUnknown("namespace", namespace)
        if not place.is_admin or not allows(actor.scopes, REPO_ADMIN):
            raise refusal(actor, namespace, "administer")
        return place

    def _window_s(self, namespace_id: str) -> int:
        namespace = self._accounts.namespace(namespace_id)
        return namespace.window_s if namespace and namespace.state == NamespaceState.LIVE else 0

    def work(self, due: Due, has_time: HasTime) -> Later | None:
        """Takes a deleted repository apart when nobody can bring it back and no push from before can still write.

        It is looked through until nothing is found, so that what came in late goes too. What is cut off goes on.
        """
        found = self._store.find(due.target)
        if found is None:
            return None
        back, gone = found
        end = gone.deleted_at + max(self._window_s(back.namespace_id), self._settled_s)
        if end > self._clock():
            return Later(end)
        retry_on_conflict(lambda: self._store.begin_purge(back, gone))
        return self._take(back, gone, has_time)

    def _take(self, back: RepositoryRow, gone: DeletedRepositoryRow, has_time: HasTime) -> Later | None:
        now = int(self._clock())
        while self._store.remove_some(back, now):
            if not has_time():
                return Later(now)
        self._store.finish_purge(back, gone)
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

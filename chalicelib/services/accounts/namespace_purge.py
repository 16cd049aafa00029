"""Removes the rows of a deleted namespace or team, and frees the name at the end.

Since the delete nobody reaches these rows. The purge reads what is left in pages, so that a purge that was interrupted
continues, and one that runs again finds nothing.
"""

from collections.abc import Callable, Iterator
from functools import partial

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.states import NamespaceState
from chalicelib.domain.timers import Due, HasTime, Later
from chalicelib.services.accounts.account_deletion import AccountDeletion
from chalicelib.storage import keys
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import retry_on_conflict

# How many seconds later a purge runs again while deleted repositories of the namespace still exist.
AGAIN_S = 86_400


class NamespacePurge:
    """Purges deleted namespaces. For `_settled_s` seconds after a delete, an earlier push may still write."""

    def __init__(self, stores: Stores, account_deletion: AccountDeletion) -> None:
        self._store, self._accounts, self._account_deletion = stores.namespace_purge, stores.accounts, account_deletion
        self._settled_s, self._clock = stores.settings.drained_s, stores.clock

    def work(self, due: Due, has_time: HasTime) -> Later | None:
        """Purges a namespace or a team as far as there is time; run again, it changes nothing."""
        team = keys.purged_team(due.target)
        steps = iter([partial(self._store.empty_team, *team)]) if team else self._steps(due.target, has_time)
        for step in steps:
            while step():
                if not has_time():
                    return Later(int(self._clock()))
        return None if team else self._end(due.target)

    def _steps(self, namespace_id: str, has_time: HasTime) -> Iterator[Callable[[], bool]]:
        """Yields the steps of a purge; each removes some rows and returns whether there may be more."""
        namespace = self._accounts.namespace(namespace_id)
        if namespace is None or namespace.state == NamespaceState.LIVE:
            return
        store, now = self._store, int(self._clock())
        yield lambda: store.delete_repositories(namespace_id, now, now + self._settled_s)
        yield lambda: self._end_robots(namespace_id, has_time)
        yield lambda: self._end_keeper(namespace_id, has_time)
        for step in (
            store.end_teams,
            store.end_applications,
            store.end_roles,
            store.free_former_names,
            store.remove_rest,
        ):
            yield partial(step, namespace_id)
        if namespace.kind == AccountKind.USER:
            yield lambda: not self._account_deletion.sweep(namespace_id, has_time)

    def _end_robots(self, namespace_id: str, has_time: HasTime) -> bool:
        """Removes robots with all that they have; returns whether there may be more."""
        robots = self._store.robots(namespace_id)
        for row in robots:
            if not self._account_deletion.sweep(row.account_id, has_time):
                return True
            retry_on_conflict(partial(self._store.end_robot, row))
            if not has_time():
                return True
        return bool(robots)

    def _end_keeper(self, namespace_id: str, has_time: HasTime) -> bool:
        """Removes the account that wrote what a proxy cache fetched; returns whether there may be more."""
        keeper_id = self._store.keeper(namespace_id)
        if keeper_id is None:
            return False
        if not self._account_deletion.sweep(keeper_id, has_time):
            return True
        retry_on_conflict(partial(self._store.end_keeper, namespace_id, keeper_id))
        return False

    def _end(self, namespace_id: str) -> Later | None:
        """Frees the name. The namespace row stays until all its deleted repositories are removed."""
        namespace = self._accounts.namespace(namespace_id)
        if namespace is None or namespace.state == NamespaceState.LIVE:
            return None
        if namespace.state != NamespaceState.PURGED:
            retry_on_conflict(partial(self._store.free_name, namespace))
        if self._store.keeps_repositories(namespace_id):
            return Later(int(self._clock()) + AGAIN_S)
        retry_on_conflict(partial(self._store.remove_namespace, namespace_id))
        return None

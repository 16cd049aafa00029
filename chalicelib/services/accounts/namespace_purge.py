"""Purges: what a deleted namespace or team leaves is taken away, and last the name is free.

Nobody reaches any of it since the delete; here it is walked in pages, from whatever is left of it, so that a walk that
is cut off goes on, and one that is walked again finds nothing.
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

# How long until a namespace is looked at again whose deleted repositories are not taken away yet.
AGAIN_S = 86_400


class NamespacePurge:
    """Takes away what is deleted. `settled_s` is how long after a delete a push from before it may still write."""

    def __init__(self, stores: Stores, departures: AccountDeletion) -> None:
        self._store, self._accounts, self._departures = stores.namespace_purge, stores.accounts, departures
        self._settled_s, self._clock = stores.settings.drained_s, stores.clock

    def work(self, due: Due, has_time: HasTime) -> Later | None:
        """Takes away a namespace by its id, or a team, as far as there is time; done again, it changes nothing."""
        team = keys.purged_team(due.target)
        steps = iter([partial(self._store.empty_team, *team)]) if team else self._steps(due.target, has_time)
        for step in steps:
            while step():
                if not has_time():
                    return Later(int(self._clock()))
        return None if team else self._end(due.target)

    def _steps(self, namespace_id: str, has_time: HasTime) -> Iterator[Callable[[], bool]]:
        """All there is to do in a deleted namespace: each takes some away, and says whether there may be more."""
        namespace = self._accounts.namespace(namespace_id)
        if namespace is None or namespace.state == NamespaceState.LIVE:
            return
        store, now = self._store, int(self._clock())
        yield lambda: store.delete_repositories(namespace_id, now, now + self._settled_s)
        yield lambda: self._end_robots(namespace_id, has_time)
        for step in (
            store.end_teams,
            store.end_applications,
            store.end_roles,
            store.free_former_names,
            store.remove_rest,
        ):
            yield partial(step, namespace_id)
        if namespace.kind == AccountKind.USER:
            yield lambda: not self._departures.sweep(namespace_id, has_time)

    def _end_robots(self, namespace_id: str, has_time: HasTime) -> bool:
        """Takes away robots with all that they have; whether there may be more."""
        found = self._store.robots(namespace_id)
        for row in found:
            if not self._departures.sweep(row.account_id, has_time):
                return True
            retry_on_conflict(partial(self._store.end_robot, row))
            if not has_time():
                return True
        return bool(found)

    def _end(self, namespace_id: str) -> Later | None:
        """Frees the name; the namespace itself stays until nothing that was deleted in it lies with it any more."""
        namespace = self._accounts.namespace(namespace_id)
        if namespace is None or namespace.state == NamespaceState.LIVE:
            return None
        if namespace.state != NamespaceState.PURGED:
            retry_on_conflict(partial(self._store.free_name, namespace))
        if self._store.keeps_repositories(namespace_id):
            return Later(int(self._clock()) + AGAIN_S)
        retry_on_conflict(partial(self._store.remove_namespace, namespace_id))
        return None

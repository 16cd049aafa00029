"""Renames organizations: at once by name, and afterwards in every row that contains the name."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from chalicelib.domain.errors import NameTaken, ResourceUnknown
from chalicelib.domain.names import parse_account
from chalicelib.domain.permissions import Actor
from chalicelib.domain.states import NamespaceState
from chalicelib.domain.timers import RENAME, SETTLED_S, Due, HasTime, Later
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.security.access import Access
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, WriteConflict, retry_on_conflict
from chalicelib.storage.timers import timer

# Lists the rows of a namespace after a sort key, and writes the new name into one of them.
Walk = tuple[Callable[[str, str], Iterable[Any]], Callable[[Any], None]]


class Renames:
    """Renames organizations, and updates the rows that contain their names.

    For `_settled_s` seconds after a rename, rows may still be created with the former name.
    """

    def __init__(self, access: Access, usage_log: UsageLog, stores: Stores) -> None:
        self._access, self._usage_log, self._accounts = access, usage_log, stores.accounts
        self._store, self._settled_s = stores.renames, stores.settings.token_s + SETTLED_S
        self._clock = stores.clock

    def rename(self, actor: Actor, name: str, new_name: str) -> None:
        """Renames an organization, as a superuser; the former name stays taken until no row contains it.

        This is one transaction, however much the organization holds; a timer updates the rows afterwards. Raises
        NameInvalid, NameTaken, ResourceUnknown, Unauthenticated, Denied.
        """
        self._access.superuser(actor)
        parse_account(new_name)

        def attempt() -> None:
            access, now = self._access.organization(actor, name), int(self._clock())
            namespace = self._accounts.namespace(access.id)
            if namespace is None or namespace.state != NamespaceState.LIVE:
                raise ResourceUnknown("organization", name)
            if new_name == namespace.name:
                return
            transaction = Transaction()
            self._store.rename_namespace(transaction, namespace, new_name, now)
            self._accounts.put_namespace(transaction, namespace)
            transaction.put(timer(RENAME, access.id, now))
            metadata = {"old_name": name, "new_name": new_name, "namespace": new_name}
            self._usage_log.record_for_namespace(actor, transaction, "org_change_name", access.id, metadata)
            try:
                transaction.commit()
            except WriteConflict:
                self._check_free(access.id, new_name)
                raise

        retry_on_conflict(attempt)

    def _check_free(self, namespace_id: str, name: str) -> None:
        holder = self._accounts.holder_of(name)
        if holder is None or (holder.id == namespace_id and holder.deleted_at is not None):
            return
        if holder.deleted_at is not None:
            raise NameTaken(name, "Username is not available")
        raise NameTaken(name, "A user or organization with this name already exists")

    def work(self, due: Due, has_time: HasTime) -> Later | None:
        """Writes the current name of an organization into all its rows, then frees its former names.

        When time is up, it continues later from the same row; run again, it changes nothing.
        """
        namespace = self._accounts.namespace(due.target)
        if namespace is None or namespace.state != NamespaceState.LIVE:
            # The purge of a deleted namespace frees its former names.
            return None
        phase, _, after = due.place.partition(":")
        for step, (rows, change) in enumerate(self._walks(namespace.name)):
            if step < int(phase or 0):
                continue
            for row in rows(due.target, after):
                if not has_time():
                    return Later(int(self._clock()), f"{step}:{after}")
                with suppress(WriteConflict):
                    # A row that is removed meanwhile needs no change.
                    change(row)
                after = row.sk
            after = ""
        return self._free(due.target)

    def _walks(self, name: str) -> list[Walk]:
        """Returns the walks over all rows that contain the name."""
        store = self._store
        return [
            (store.repositories, partial(store.rename_repository, namespace=name)),
            (store.robots, lambda row: retry_on_conflict(lambda: store.rename_robot(row, name))),
            (store.applications, partial(store.rename_application, namespace=name)),
        ]

    def _free(self, namespace_id: str) -> Later | None:
        """Frees the former names once no row can be created with them; before that, the walk is repeated."""
        former = self._store.former_names(namespace_id)
        settled_at = max(former.values(), default=0) + self._settled_s
        if former and settled_at > self._clock():
            return Later(settled_at)
        for name in former:
            retry_on_conflict(partial(self._store.free_former_name, namespace_id, name))
        return None

"""Renames: an organization's other name, at once, and behind it wherever its name is written."""

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

# Lists rows of a namespace past a sort key, and writes a name into one of them.
Walk = tuple[Callable[[str, str], Iterable[Any]], Callable[[Any], None]]


class Renames:
    """Renames organizations, and walks what is written with their names.

    `settled_s` is how long after a rename something may still be made by the former name.
    """

    def __init__(self, access: Access, usage: UsageLog, stores: Stores) -> None:
        self._access, self._usage, self._accounts = access, usage, stores.accounts
        self._store, self._settled_s = stores.renames, stores.settings.token_s + SETTLED_S
        self._clock = stores.clock

    def rename(self, actor: Actor, name: str, wanted: str) -> None:
        """Gives an organization another name, as a superuser; the one before stays taken until nothing has it.

        One transaction, however much there is; a timer stands for what is to be written behind it. Raises NameInvalid,
        NameTaken, NothingThere, Unauthenticated, Denied.
        """
        self._access.superuser(actor)
        parse_account(wanted)

        def attempt() -> None:
            place, now = self._access.organization(actor, name), int(self._clock())
            namespace = self._accounts.namespace(place.id)
            if namespace is None or namespace.state != NamespaceState.LIVE:
                raise ResourceUnknown("organization", name)
            if wanted == namespace.name:
                return
            transaction = Transaction()
            self._store.rename_namespace(transaction, namespace, wanted, now)
            self._accounts.put_namespace(transaction, namespace)
            transaction.put(timer(RENAME, place.id, now))
            told = {"old_name": name, "new_name": wanted, "namespace": wanted}
            self._usage.note(actor, transaction, "org_change_name", place.id, told)
            try:
                transaction.commit()
            except WriteConflict:
                self._check_free(place.id, wanted)
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
        """Writes the name that an organization has now wherever another is written; at the end its old ones are free.

        It goes on where the time was up; done again, it changes nothing.
        """
        namespace = self._accounts.namespace(due.target)
        if namespace is None or namespace.state != NamespaceState.LIVE:
            # What is deleted is purged, former names and all.
            return None
        phase, _, after = due.place.partition(":")
        for number, (rows, change) in enumerate(self._walks(namespace.name)):
            if number < int(phase or 0):
                continue
            for row in rows(due.target, after):
                if not has_time():
                    return Later(int(self._clock()), f"{number}:{after}")
                with suppress(WriteConflict):
                    # What is gone meanwhile needs no change.
                    change(row)
                after = row.sk
            after = ""
        return self._free(due.target)

    def _walks(self, name: str) -> list[Walk]:
        """All that is to be written with a name: how it is listed past a sort key, and how one of it is changed."""
        store = self._store
        return [
            (store.repositories, partial(store.rename_repository, namespace=name)),
            (store.robots, lambda row: retry_on_conflict(lambda: store.rename_robot(row, name))),
            (store.applications, partial(store.rename_application, namespace=name)),
        ]

    def _free(self, namespace_id: str) -> Later | None:
        """Frees the former names, when nothing is made by them any more; before that, all is walked once again."""
        former = self._store.former_names(namespace_id)
        settled_at = max(former.values(), default=0) + self._settled_s
        if former and settled_at > self._clock():
            return Later(settled_at)
        for name in former:
            retry_on_conflict(partial(self._store.free_former_name, namespace_id, name))
        return None

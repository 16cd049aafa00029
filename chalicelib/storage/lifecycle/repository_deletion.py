"""Deleted repositories as they are kept: listed by their namespace, brought back, and taken apart."""

from typing import Any

from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import HolderKind
from chalicelib.domain.states import RepositoryState
from chalicelib.domain.timers import PURGE_REPOSITORY
from chalicelib.storage import keys
from chalicelib.storage.accounts.permissions import PermissionStore, RoleHolder
from chalicelib.storage.lifecycle.garbage import GarbageStore
from chalicelib.storage.objects import ObjectStore
from chalicelib.storage.registry.blobs import BlobLinkRow
from chalicelib.storage.registry.manifests import BodyRow
from chalicelib.storage.registry.repositories import (
    KEPT,
    DeletedRepositoryRow,
    PermissionRow,
    RepositoryNameRow,
    RepositoryRow,
)
from chalicelib.storage.search_words import SearchKind, put_words
from chalicelib.storage.table import Row, Transaction, WriteConflict, absent, get, query, query_run, remove_all
from chalicelib.storage.timers import TimerRow

AT_ONCE, PULLS_AT_ONCE = 25, 250
# What stays while the rest is taken away: the way back, and the counters.
KEPT_TO_THE_END = (keys.META, "SIZE")
# What has other ends, by the beginning of its key: it is read whole, at once with the rest.
KINDS: dict[str, type[Row]] = {"BLOB": BlobLinkRow, "BODY": BodyRow, "PERM": PermissionRow, "": Row}


class RepositoryDeletionStore:
    """Deleted repositories in the table."""

    def __init__(self, permissions: PermissionStore, objects: ObjectStore) -> None:
        self._permissions, self._objects, self._garbage = permissions, objects, GarbageStore()

    def of_namespace(self, namespace_id: str) -> list[DeletedRepositoryRow]:
        """All deleted repositories of a namespace."""
        return list(query(DeletedRepositoryRow, keys.gone_repositories(namespace_id)))

    def find(self, repository_id: str) -> tuple[RepositoryRow, DeletedRepositoryRow] | None:
        """A deleted repository by its id; None for one that is live, or gone for good."""
        back = get(RepositoryRow, keys.repository(repository_id))
        if back is None or back.is_live or back.gone is None:
            return None
        gone = get(DeletedRepositoryRow, keys.gone(back.namespace_id, back.name, back.gone))
        return (back, gone) if gone else None

    def restore(
        self, transaction: Transaction, back: RepositoryRow, gone: DeletedRepositoryRow, name: RepositoryName
    ) -> None:
        """Gives a deleted repository a name again, on condition that it is free and that nothing is taken away yet."""
        namespace_id, repository_id = back.namespace_id, gone.repository_id
        kept: dict[str, Any] = {field: getattr(gone, field) for field in KEPT} | {"name": name.repository}
        row = RepositoryNameRow.under(
            keys.repository_name(namespace_id, name.repository),
            view=keys.view_catalog(gone.visibility),
            view_at=str(name),
            **kept,
        )
        transaction.put(row, absent())
        transaction.delete(gone, DeletedRepositoryRow.state == RepositoryState.DELETED)
        actions = [
            RepositoryRow.state.set(RepositoryState.LIVE),
            RepositoryRow.gone.remove(),
            RepositoryRow.name.set(name.repository),
        ]
        transaction.update(back, *actions, condition=RepositoryRow.gone == back.gone)
        transaction.delete(TimerRow.under(keys.timer(PURGE_REPOSITORY, repository_id)))
        put_words(transaction, SearchKind.REPOSITORY, name.repository, repository_id, namespace_id)

    def begin(self, back: RepositoryRow, gone: DeletedRepositoryRow) -> None:
        """From here on nobody brings it back, or adds to it. Raises WriteConflict when somebody was faster."""
        transaction = Transaction()
        state = (DeletedRepositoryRow.state == RepositoryState.DELETED) | (
            DeletedRepositoryRow.state == RepositoryState.PURGING
        )
        transaction.update(gone, DeletedRepositoryRow.state.set(RepositoryState.PURGING), condition=state)
        transaction.update(
            back, RepositoryRow.state.set(RepositoryState.PURGING), condition=RepositoryRow.gone == back.gone
        )
        transaction.commit()

    def take(self, back: RepositoryRow, now: int) -> bool:
        """Takes some of what it holds away; whether there was any. Done again, it goes on with what is left."""
        read, _ = query_run(keys.everything_in(back.pk), KINDS, AT_ONCE + 10)
        found = [row for row in read if not _stays(row.sk)]
        where = (back.namespace_id, keys.repository_id(back.pk))
        for link in (row for row in found if isinstance(row, BlobLinkRow)):
            self._take_link(where, link, now)
        bodies = [row for row in found if isinstance(row, BodyRow)]
        self._objects.delete_all([row.s3_key for row in bodies if row.s3_key])
        for row in (row for row in found if isinstance(row, PermissionRow)):
            holder = RoleHolder(keys.holder_id(row.sk), row.name or "", row.kind or HolderKind.USER)
            self._permissions.forget(where, holder)
        remove_all([row.key for row in found if not isinstance(row, BlobLinkRow)])
        return bool(found) or self._take_pulls(back)

    def _take_pulls(self, back: RepositoryRow) -> bool:
        """What was counted, to which nothing is added any more."""
        found = list(query(Row, keys.all_pulls(keys.repository_id(back.pk)), limit=PULLS_AT_ONCE))
        remove_all([row.key for row in found])
        return bool(found)

    def _take_link(self, where: tuple[str, str], row: BlobLinkRow, now: int) -> None:
        try:
            self._garbage.remove_link(where, row, keys.linked_digest(row.sk), now)
        except WriteConflict:
            # The collector was at it: the next look finds it gone, or as it is now.
            return

    def finish(self, back: RepositoryRow, gone: DeletedRepositoryRow) -> None:
        """Forgets a repository of which nothing is left."""
        remove_all([row.key for row in query(Row, keys.everything(back.pk)) if row.sk != keys.META])
        transaction = Transaction()
        transaction.delete(back, RepositoryRow.gone == back.gone)
        transaction.delete(gone)
        transaction.commit()


def _stays(sort_key: str) -> bool:
    return sort_key.partition("#")[0] in KEPT_TO_THE_END

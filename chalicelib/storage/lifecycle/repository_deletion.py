"""Stores deleted repositories, restores them, and removes their content."""

from collections.abc import Sequence
from contextlib import suppress
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
from chalicelib.storage.registry.manifests import BodyRow, ManifestRow
from chalicelib.storage.registry.repositories import (
    KEPT,
    DeletedRepositoryRow,
    PermissionRow,
    RepositoryNameRow,
    RepositoryRow,
)
from chalicelib.storage.registry.sizes import remove_manifests
from chalicelib.storage.search_words import SearchKind, put_words
from chalicelib.storage.table import Row, Transaction, WriteConflict, absent, get, query, query_run, remove_all
from chalicelib.storage.timers import TimerRow

AT_ONCE, PULLS_AT_ONCE = 25, 250
# Sort keys of the rows that are removed last: the repository itself and its counters.
KEPT_TO_THE_END = (keys.META, "SIZE")
# Row classes by the beginning of their sort keys. Those of rows that have counterparts elsewhere are read whole.
KINDS: dict[str, type[Row]] = {
    "BLOB": BlobLinkRow,
    "BODY": BodyRow,
    "MAN": ManifestRow,
    "PERM": PermissionRow,
    "": Row,
}
# Rows of contents, which are removed with what is counted of them.
CONTENTS = (BlobLinkRow, ManifestRow)


class RepositoryDeletionStore:
    """The deleted repositories in the table."""

    def __init__(self, permissions: PermissionStore, objects: ObjectStore) -> None:
        self._permissions, self._objects, self._garbage = permissions, objects, GarbageStore()

    def of_namespace(self, namespace_id: str) -> list[DeletedRepositoryRow]:
        """Returns all deleted repositories of a namespace."""
        return list(query(DeletedRepositoryRow, keys.gone_repositories(namespace_id)))

    def find(self, repository_id: str) -> tuple[RepositoryRow, DeletedRepositoryRow] | None:
        """Returns the two rows of a deleted repository by its id; None if it is live or purged."""
        by_id = get(RepositoryRow, keys.repository(repository_id))
        if by_id is None or by_id.is_live or by_id.gone is None:
            return None
        gone = get(DeletedRepositoryRow, keys.gone(by_id.namespace_id, by_id.name, by_id.gone))
        return (by_id, gone) if gone else None

    def restore(
        self, transaction: Transaction, by_id: RepositoryRow, gone: DeletedRepositoryRow, name: RepositoryName
    ) -> None:
        """Restores a deleted repository under a name, if the name is free and its purge has not begun."""
        namespace_id, repository_id = by_id.namespace_id, gone.repository_id
        fields: dict[str, Any] = {field: getattr(gone, field) for field in KEPT} | {"name": name.repository}
        row = RepositoryNameRow.under(
            keys.repository_name(namespace_id, name.repository),
            view=keys.view_catalog(gone.visibility),
            view_at=str(name),
            **fields,
        )
        transaction.put(row, absent())
        transaction.delete(gone, DeletedRepositoryRow.state == RepositoryState.DELETED)
        actions = [
            RepositoryRow.state.set(RepositoryState.LIVE),
            RepositoryRow.gone.remove(),
            RepositoryRow.name.set(name.repository),
            RepositoryRow.mode.set(gone.mode),
        ]
        transaction.update(by_id, *actions, condition=RepositoryRow.gone == by_id.gone)
        transaction.delete(TimerRow.under(keys.timer(PURGE_REPOSITORY, repository_id)))
        put_words(transaction, SearchKind.REPOSITORY, name.repository, repository_id, namespace_id)

    def begin_purge(self, by_id: RepositoryRow, gone: DeletedRepositoryRow) -> None:
        """Marks a repository as being purged: nobody can restore it or write to it. Raises WriteConflict."""
        transaction = Transaction()
        is_deleted = (DeletedRepositoryRow.state == RepositoryState.DELETED) | (
            DeletedRepositoryRow.state == RepositoryState.PURGING
        )
        transaction.update(gone, DeletedRepositoryRow.state.set(RepositoryState.PURGING), condition=is_deleted)
        transaction.update(
            by_id, RepositoryRow.state.set(RepositoryState.PURGING), condition=RepositoryRow.gone == by_id.gone
        )
        transaction.commit()

    def remove_some(self, by_id: RepositoryRow, now: int) -> bool:
        """Removes some of a repository's content. Returns whether there was any; a repeated call continues."""
        candidates, _ = query_run(keys.everything_in(by_id.pk), KINDS, AT_ONCE + 10)
        rows = [row for row in candidates if not _stays(row.sk)]
        where = (by_id.namespace_id, keys.repository_id(by_id.pk))
        for link in (row for row in rows if isinstance(row, BlobLinkRow)):
            self._remove_link(where, link, now)
        self._remove_manifests(where, [row for row in rows if isinstance(row, ManifestRow)])
        bodies = [row for row in rows if isinstance(row, BodyRow)]
        self._objects.delete_all([row.s3_key for row in bodies if row.s3_key])
        for row in (row for row in rows if isinstance(row, PermissionRow)):
            holder = RoleHolder(keys.holder_id(row.sk), row.name or "", row.kind or HolderKind.USER)
            self._permissions.end_role(where, holder)
        remove_all([row.key for row in rows if not isinstance(row, CONTENTS)])
        return bool(rows) or self._remove_pulls(by_id)

    def _remove_pulls(self, by_id: RepositoryRow) -> bool:
        """Removes some of the counted pulls, to which a purged repository adds nothing."""
        rows = list(query(Row, keys.all_pulls(keys.repository_id(by_id.pk)), limit=PULLS_AT_ONCE))
        remove_all([row.key for row in rows])
        return bool(rows)

    def _remove_link(self, where: tuple[str, str], row: BlobLinkRow, now: int) -> None:
        try:
            self._garbage.remove_link(where, row, keys.linked_digest(row.sk), now)
        except WriteConflict:
            # The collector changed the link. The next call reads it again.
            return

    def _remove_manifests(self, where: tuple[str, str], rows: Sequence[ManifestRow]) -> None:
        """Removes manifests with their sizes, in one transaction."""
        if not rows:
            return
        transaction = Transaction()
        for row in rows:
            transaction.delete(row, ManifestRow.pk.exists())
        remove_manifests(transaction, where, {keys.manifest_digest(row.sk): row.size for row in rows})
        # The collector may have removed one meanwhile. The next call reads the others again.
        with suppress(WriteConflict):
            transaction.commit()

    def finish_purge(self, by_id: RepositoryRow, gone: DeletedRepositoryRow) -> None:
        """Removes the last rows of a repository."""
        remove_all([row.key for row in query(Row, keys.everything(by_id.pk)) if row.sk != keys.META])
        transaction = Transaction()
        transaction.delete(by_id, RepositoryRow.gone == by_id.gone)
        transaction.delete(gone)
        transaction.commit()


def _stays(sort_key: str) -> bool:
    return sort_key.partition("#")[0] in KEPT_TO_THE_END

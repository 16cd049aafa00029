"""Deleted repositories as they are kept: listed by their namespace, brought back, and taken apart."""

from collections.abc import Sequence
from typing import Any

from chalicelib.domain.digests import Digest
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.timers import PURGE_REPOSITORY
from chalicelib.storage import keys
from chalicelib.storage.blobs import BlobLinkRow
from chalicelib.storage.garbage import GarbageStore
from chalicelib.storage.manifests import BodyRow
from chalicelib.storage.objects import ObjectStore
from chalicelib.storage.permissions import Holder, PermissionStore
from chalicelib.storage.repositories import (
    DELETED,
    KEPT,
    LIVE,
    GoneRow,
    PermissionRow,
    RepositoryNameRow,
    RepositoryRow,
)
from chalicelib.storage.table import Batch, LostRace, Row, Transaction, absent, get, query, remove_all
from chalicelib.storage.timers import TimerRow
from chalicelib.storage.words import Found, put_words

# A deleted repository of which something may be gone already: nobody brings it back.
PURGING = "purging"
AT_ONCE = 25
# What stays while the rest is taken away: the way back, and the counters.
KEPT_TO_THE_END = (keys.META, "SIZE")


class DeletionStore:
    """Deleted repositories in the table."""

    def __init__(self, permissions: PermissionStore, objects: ObjectStore) -> None:
        self._permissions, self._objects, self._garbage = permissions, objects, GarbageStore()

    def of_namespace(self, namespace_id: str) -> list[GoneRow]:
        """All deleted repositories of a namespace."""
        return list(query(GoneRow, keys.gone_repositories(namespace_id)))

    def find(self, repository_id: str) -> tuple[RepositoryRow, GoneRow] | None:
        """A deleted repository by its id; None for one that is live, or gone for good."""
        back = get(RepositoryRow, keys.repository(repository_id))
        if back is None or back.is_live or back.gone is None:
            return None
        gone = get(GoneRow, keys.gone(back.namespace_id, back.name, back.gone))
        return (back, gone) if gone else None

    def restore(self, transaction: Transaction, back: RepositoryRow, gone: GoneRow, name: RepositoryName) -> None:
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
        transaction.delete(gone, GoneRow.state == DELETED)
        actions = [RepositoryRow.state.set(LIVE), RepositoryRow.gone.remove(), RepositoryRow.name.set(name.repository)]
        transaction.update(back, *actions, condition=RepositoryRow.gone == back.gone)
        transaction.delete(TimerRow.under(keys.timer(PURGE_REPOSITORY, repository_id)))
        put_words(transaction, Found.REPOSITORY, name.repository, repository_id, namespace_id)

    def begin(self, gone: GoneRow) -> None:
        """From here on nobody brings it back. Raises LostRace when somebody was faster."""
        transaction = Transaction()
        state = (GoneRow.state == DELETED) | (GoneRow.state == PURGING)
        transaction.update(gone, GoneRow.state.set(PURGING), condition=state)
        transaction.commit()

    def take(self, back: RepositoryRow, now: int) -> bool:
        """Takes some of what it holds away; whether there was any. Done again, it goes on with what is left."""
        found = [row for row in query(Row, keys.everything(back.pk), limit=AT_ONCE + 10) if not _stays(row.sk)]
        links = [row.sk for row in found if row.sk.startswith("BLOB")]
        for digest in (keys.linked_digest(key) for key in links):
            self._take_link(back, digest, now)
        self._take_bodies([row for row in found if row.sk.startswith("BODY")])
        for row in (row for row in found if row.sk.startswith("PERM")):
            self._take_permission(back, row)
        remove_all([row.key for row in found if row.sk not in links])
        return bool(found)

    def _take_link(self, back: RepositoryRow, digest: Digest, now: int) -> None:
        repository_id = keys.repository_id(back.pk)
        row = get(BlobLinkRow, keys.blob_link(repository_id, digest))
        if row is not None:
            try:
                self._garbage.remove_link((back.namespace_id, repository_id), row, digest, now)
            except LostRace:
                # The collector was at it: the next look finds it gone, or as it is now.
                return

    def _take_bodies(self, found: Sequence[Row]) -> None:
        batch = Batch()
        reads = [batch.add(BodyRow, row.key) for row in found]
        if reads:
            batch.read()
        self._objects.delete_all([read.row.s3_key for read in reads if read.row and read.row.s3_key])

    def _take_permission(self, back: RepositoryRow, found: Row) -> None:
        row = get(PermissionRow, found.key)
        if row is not None:
            holder = Holder(keys.holder_id(row.sk), row.name or "", row.kind or "user")
            self._permissions.forget((back.namespace_id, keys.repository_id(back.pk)), holder)

    def finish(self, back: RepositoryRow, gone: GoneRow) -> None:
        """Forgets a repository of which nothing is left."""
        remove_all([row.key for row in query(Row, keys.everything(back.pk)) if row.sk != keys.META])
        transaction = Transaction()
        transaction.delete(back, RepositoryRow.gone == back.gone)
        transaction.delete(gone)
        transaction.commit()


def _stays(sort_key: str) -> bool:
    return sort_key.partition("#")[0] in KEPT_TO_THE_END

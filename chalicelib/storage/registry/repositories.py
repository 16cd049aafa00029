"""Repositories, rights on them and their sizes as they are kept."""

from collections.abc import Iterable, Iterator, Sequence
from uuid import uuid4

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import Condition

from chalicelib.domain.digests import Digest
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import HolderKind, Role
from chalicelib.domain.repositories import Mode, Repository, Visibility
from chalicelib.domain.states import RepositoryState
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.attributes import EnumText, Integer, OptionalEnumText, OptionalInteger, OptionalText
from chalicelib.storage.search_words import SearchKind, delete_words, put_words
from chalicelib.storage.table import Batch, Row, Transaction, absent, at_version, get, query, view

# What a deleted repository keeps of its name.
KEPT = (
    "name",
    "repository_id",
    "mode",
    "visibility",
    "description",
    "immutability",
    "created_at",
    "status_token",
)


class RepositoryNameRow(Row):
    """A repository's name, pointing to its id. `status_token` opens the badge of a private repository."""

    name = UnicodeAttribute()
    repository_id = UnicodeAttribute()
    state = EnumText(RepositoryState, default=RepositoryState.LIVE)
    mode = EnumText(Mode, default=Mode.NORMAL)
    visibility = EnumText(Visibility)
    description = UnicodeAttribute(default="")
    # Which tags may not change, by the repository's policies (domain/policies.py); None for none.
    immutability = OptionalText()
    created_at = OptionalInteger()
    status_token = OptionalText()
    version = Integer(default=0)
    view = UnicodeAttribute()
    view_at = UnicodeAttribute()

    @property
    def is_public(self) -> bool:
        """Whether everybody may pull."""
        return self.visibility == Visibility.PUBLIC

    @property
    def is_normal(self) -> bool:
        """Whether it takes pushes."""
        return self.mode == Mode.NORMAL


class RepositoryRow(Row):
    """The way back from the id, with what lists tell; `gone` is the ULID of its `GONE` once it is deleted."""

    namespace_id = UnicodeAttribute()
    namespace = UnicodeAttribute()
    name = UnicodeAttribute()
    state = EnumText(RepositoryState, default=RepositoryState.LIVE)
    mode = EnumText(Mode, default=Mode.NORMAL)
    visibility = EnumText(Visibility)
    description = UnicodeAttribute(default="")
    gone = OptionalText()

    @property
    def is_live(self) -> bool:
        """Whether the repository is there, not deleted."""
        return self.state == RepositoryState.LIVE

    @property
    def is_public(self) -> bool:
        """Whether everybody may pull."""
        return self.visibility == Visibility.PUBLIC


class DeletedRepositoryRow(Row):
    """A deleted repository: all that its name said, and when what it holds is taken away."""

    name = UnicodeAttribute()
    repository_id = UnicodeAttribute()
    state = EnumText(RepositoryState, default=RepositoryState.DELETED)
    mode = EnumText(Mode)
    visibility = EnumText(Visibility)
    description = UnicodeAttribute(default="")
    immutability = OptionalText()
    created_at = OptionalInteger()
    status_token = OptionalText()
    deleted_at = Integer()
    purge_at = Integer()


class PermissionRow(Row):
    """The role of an account or a team on a repository; `name` and `kind` (user, robot, team) are the holder's."""

    role = EnumText(Role)
    holder_id = OptionalText()
    name = OptionalText()
    kind = OptionalEnumText(HolderKind)


class RoleRow(Row):
    """The same, found by the holder."""

    role = EnumText(Role)
    repository_id = UnicodeAttribute()


class PushedRow(Row):
    """When a tag of a repository last began to name something, in seconds since the epoch."""

    at = Integer()


class SizeRow(Row):
    """Bytes linked, one of eight counters."""

    bytes = Integer()


class RepositoryStore:
    """Repositories in the table."""

    def find(self, namespace_id: str, name: RepositoryName) -> RepositoryNameRow | None:
        """The row of a live name."""
        row = get(RepositoryNameRow, keys.repository_name(namespace_id, name.repository))
        return row if row and row.state == RepositoryState.LIVE else None

    def get(self, repository_id: str) -> RepositoryRow | None:
        """A repository by its id."""
        return get(RepositoryRow, keys.repository(repository_id))

    def get_all(self, repository_ids: list[str]) -> dict[str, RepositoryRow]:
        """Repositories by their ids, those that are there and not deleted."""
        batch = Batch()
        reads = {identifier: batch.add(RepositoryRow, keys.repository(identifier)) for identifier in repository_ids}
        if reads:
            batch.read()
        return {identifier: read.row for identifier, read in reads.items() if read.row and read.row.is_live}

    def still(self, transaction: Transaction, repository: Repository) -> None:
        """Lets a transaction fail where a name does not lead to this repository any more."""
        self._check(transaction, repository, RepositoryNameRow.state == RepositoryState.LIVE)

    def still_normal(self, transaction: Transaction, repository: Repository) -> None:
        """The same, where its tags do not change now either."""
        is_open = (RepositoryNameRow.state == RepositoryState.LIVE) & (RepositoryNameRow.mode == Mode.NORMAL)
        self._check(transaction, repository, is_open)

    def _check(self, transaction: Transaction, repository: Repository, condition: Condition) -> None:
        key = keys.repository_name(repository.namespace_id, repository.name.repository)
        condition &= RepositoryNameRow.repository_id == repository.id
        transaction.check(RepositoryNameRow, key, condition)

    def with_namespaces(
        self, repository_ids: Sequence[str], namespace_ids: Iterable[str]
    ) -> tuple[dict[str, RepositoryRow], dict[str, NamespaceRow]]:
        """Repositories by their ids that are there and not deleted, and namespaces by theirs, in one batch."""
        batch = Batch()
        rows = {identifier: batch.add(RepositoryRow, keys.repository(identifier)) for identifier in repository_ids}
        namespaces = {known: batch.add(NamespaceRow, keys.namespace(known)) for known in namespace_ids}
        if rows:
            batch.read()
        alive = {identifier: read.row for identifier, read in rows.items() if read.row and read.row.is_live}
        return alive, {identifier: read.row for identifier, read in namespaces.items() if read.row}

    def in_namespace(self, namespace_id: str, after: str, page: int) -> Iterator[RepositoryNameRow]:
        """Names of a namespace's live repositories past `after`, in order, read `page` at a time."""
        past = keys.repository_name(namespace_id, after)[1] if after else ""
        rows = query(RepositoryNameRow, keys.repository_name(namespace_id, ""), after=past, page=page)
        return (row for row in rows if row.state == RepositoryState.LIVE)

    def add(
        self,
        transaction: Transaction,
        repository: Repository,
        visibility: Visibility,
        description: str = "",
        created_at: int | None = None,
    ) -> None:
        """Writes a repository's name, and the way back, on condition that the name is free."""
        shared = {"name": repository.name.repository, "visibility": visibility, "description": description}
        name = RepositoryNameRow.under(
            keys.repository_name(repository.namespace_id, repository.name.repository),
            repository_id=repository.id,
            created_at=created_at,
            status_token=str(uuid4()),
            view=keys.view_catalog(visibility),
            view_at=str(repository.name),
            **shared,
        )
        back = RepositoryRow.under(
            keys.repository(repository.id),
            namespace_id=repository.namespace_id,
            namespace=repository.name.namespace,
            **shared,
        )
        transaction.put(name, absent())
        transaction.put(back, absent())
        put_words(transaction, SearchKind.REPOSITORY, name.name, repository.id, repository.namespace_id)

    def change(self, transaction: Transaction, row: RepositoryNameRow, **changed: str) -> None:
        """Changes some of what name and way back both tell, over the version that was read."""
        names = [getattr(RepositoryNameRow, field).set(value) for field, value in changed.items()]
        backs = [getattr(RepositoryRow, field).set(value) for field, value in changed.items()]
        if "visibility" in changed:
            names.append(RepositoryNameRow.view.set(keys.view_catalog(changed["visibility"])))
        names.append(RepositoryNameRow.version.set(row.version + 1))
        is_same = (RepositoryNameRow.repository_id == row.repository_id) & at_version(
            RepositoryNameRow.version, row.version
        )
        transaction.update(row, *names, condition=is_same)
        back = RepositoryRow.under(keys.repository(row.repository_id))
        transaction.update(back, *backs, condition=RepositoryRow.pk.exists())

    def mark_deleted(
        self,
        transaction: Transaction,
        namespace_id: str,
        row: RepositoryNameRow,
        identifier: str,
        times: tuple[int, int],
    ) -> None:
        """Moves a name away, over the version that was read: it is free, and the id leads to where it lies.

        `identifier` is a new ULID, `times` when it was deleted and when what it holds may be taken away.
        """
        deleted_at, purge_at = times
        kept = {field: getattr(row, field) for field in KEPT}
        gone = DeletedRepositoryRow.under(
            keys.gone(namespace_id, row.name, identifier), deleted_at=deleted_at, purge_at=purge_at, **kept
        )
        is_same = (RepositoryNameRow.repository_id == row.repository_id) & at_version(
            RepositoryNameRow.version, row.version
        )
        transaction.delete(row, is_same)
        transaction.put(gone)
        back = RepositoryRow.under(keys.repository(row.repository_id))
        actions = [RepositoryRow.state.set(RepositoryState.DELETED), RepositoryRow.gone.set(identifier)]
        transaction.update(back, *actions, condition=RepositoryRow.pk.exists())
        delete_words(transaction, row.name, row.repository_id)

    def public(self, after: str, limit: int) -> Iterator[RepositoryNameRow]:
        """Public repositories whose full names are past `after`, in order (from an index, which may lag)."""
        rows = view(RepositoryNameRow, keys.view_catalog(Visibility.PUBLIC), after, limit)
        return (row for row in rows if row.state == RepositoryState.LIVE)

    def pushed(self, repository_ids: Sequence[str]) -> dict[str, int]:
        """When something was last pushed into repositories, for those where something was."""
        batch = Batch()
        reads = {identifier: batch.add(PushedRow, keys.pushed(identifier)) for identifier in repository_ids}
        batch.read()
        return {identifier: read.row.at for identifier, read in reads.items() if read.row}

    def sizes(self, repository_ids: Sequence[str]) -> dict[str, int]:
        """Bytes that repositories link, exactly: a call for every dozen of them."""
        batch = Batch()
        reads = {
            identifier: [batch.add(SizeRow, key) for key in keys.repository_sizes(identifier)]
            for identifier in repository_ids
        }
        batch.read()
        return {identifier: sum(read.row.bytes for read in found if read.row) for identifier, found in reads.items()}

    def owned(self, namespace_id: str, namespace: str, after: str, limit: int) -> Iterator[str]:
        """Full names of a namespace's repositories past `after`, in order."""
        prefix = f"{namespace}/"
        if after and not after.startswith(prefix):
            if after > prefix:
                return
            after = ""
        partition, first = keys.repository_name(namespace_id, "")
        past = keys.repository_name(namespace_id, after.removeprefix(prefix))[1] if after else ""
        for row in query(RepositoryNameRow, (partition, first), after=past, page=limit):
            if row.state == RepositoryState.LIVE:
                yield prefix + row.name


def pushed_row(repository_id: str, now: int) -> PushedRow:
    """That a tag of a repository begins to name something now."""
    return PushedRow.under(keys.pushed(repository_id), at=now)


def change_size(transaction: Transaction, namespace_id: str, repository_id: str, digest: Digest, size: int) -> None:
    """Counts a blob's link made (size above 0) or removed (below) for repository and namespace."""
    for key in keys.sizes(namespace_id, repository_id, digest):
        transaction.update(SizeRow.under(key), SizeRow.bytes.add(size))

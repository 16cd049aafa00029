"""Stores repositories, roles on them and their sizes."""

from collections.abc import Iterable, Iterator, Sequence
from uuid import uuid4

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import Condition

from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import PULL, HolderKind, Role
from chalicelib.domain.repositories import Mode, Repository, Visibility, listed_description
from chalicelib.domain.states import RepositoryState
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.attributes import EnumText, Integer, OptionalEnumText, OptionalInteger, OptionalText
from chalicelib.storage.registry.sizes import SizeRow
from chalicelib.storage.search_words import SearchKind, delete_words, put_words
from chalicelib.storage.table import Batch, Row, Transaction, absent, at_version, get, query, view

# Attributes that a deleted repository keeps.
KEPT = (
    "name",
    "repository_id",
    "mode",
    "visibility",
    "description",
    "immutability",
    "mirror_robot",
    "created_at",
    "status_token",
)


class RepositoryNameRow(Row):
    """A repository by its name, pointing to its id. Every request reads it, so its description is cut.

    `status_token` gives access to a private repository's badge.
    """

    name = UnicodeAttribute()
    repository_id = UnicodeAttribute()
    state = EnumText(RepositoryState, default=RepositoryState.LIVE)
    mode = EnumText(Mode, default=Mode.NORMAL)
    visibility = EnumText(Visibility)
    description = UnicodeAttribute(default="")
    # Which tags are immutable by the repository's policies (domain/policies.py); None without policies.
    immutability = OptionalText()
    # The id of the robot that mirrors into the repository; None without a mirror.
    mirror_robot = OptionalText()
    created_at = OptionalInteger()
    status_token = OptionalText()
    version = Integer(default=0)
    view = UnicodeAttribute()
    view_at = UnicodeAttribute()

    @property
    def is_public(self) -> bool:
        """Whether everyone may pull."""
        return self.visibility == Visibility.PUBLIC

    @property
    def is_normal(self) -> bool:
        """Whether it accepts pushes."""
        return self.mode == Mode.NORMAL

    def allowed(self, actions: frozenset[str], account_id: str | None) -> frozenset[str]:
        """Returns those of an account's actions that the mode allows: only a pull unless the mode is NORMAL.

        In a mirror, the robot that mirrors into it keeps them all.
        """
        is_mirroring = self.mode.is_mirror and account_id is not None and account_id == self.mirror_robot
        return actions if self.is_normal or is_mirroring else actions & {PULL}


class RepositoryRow(Row):
    """A repository by its id, with what lists show and the whole description.

    `gone` is the ULID in the key of `DeletedRepositoryRow`.
    """

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
        """Whether the repository is not deleted."""
        return self.state == RepositoryState.LIVE

    @property
    def is_public(self) -> bool:
        """Whether everyone may pull."""
        return self.visibility == Visibility.PUBLIC


class DeletedRepositoryRow(Row):
    """A deleted repository, with the attributes of its name and the time of its purge."""

    name = UnicodeAttribute()
    repository_id = UnicodeAttribute()
    state = EnumText(RepositoryState, default=RepositoryState.DELETED)
    mode = EnumText(Mode)
    visibility = EnumText(Visibility)
    description = UnicodeAttribute(default="")
    immutability = OptionalText()
    mirror_robot = OptionalText()
    created_at = OptionalInteger()
    status_token = OptionalText()
    deleted_at = Integer()
    purge_at = Integer()


class BegunRepositoryRow(Row):
    """The id that a repository will have whose first upload has begun. TTL removes it if no bytes come."""

    repository_id = UnicodeAttribute()
    expires_at = Integer()


class PermissionRow(Row):
    """The role of an account or a team on a repository; `name` and `kind` (user, robot, team) are the holder's."""

    role = EnumText(Role)
    holder_id = OptionalText()
    name = OptionalText()
    kind = OptionalEnumText(HolderKind)


class RoleRow(Row):
    """The role of an account or a team on a repository, found by the holder."""

    role = EnumText(Role)
    repository_id = UnicodeAttribute()


class PushedRow(Row):
    """The time of the last push of a tag into a repository, in seconds since the epoch."""

    at = Integer()


class RepositoryStore:
    """The repositories in the table."""

    def find(self, namespace_id: str, name: RepositoryName) -> RepositoryNameRow | None:
        """Returns a live repository by its name."""
        row = get(RepositoryNameRow, keys.repository_name(namespace_id, name.repository))
        return row if row and row.state == RepositoryState.LIVE else None

    def find_with_namespace(
        self, namespace_id: str, name: RepositoryName
    ) -> tuple[RepositoryNameRow | None, NamespaceRow | None]:
        """Returns a live repository by its name, and its namespace, with one read."""
        batch = Batch()
        row = batch.add(RepositoryNameRow, keys.repository_name(namespace_id, name.repository))
        namespace = batch.add(NamespaceRow, keys.namespace(namespace_id))
        batch.read()
        return row.row if row.row and row.row.state == RepositoryState.LIVE else None, namespace.row

    def get(self, repository_id: str) -> RepositoryRow | None:
        """Returns a repository by its id, live or deleted."""
        return get(RepositoryRow, keys.repository(repository_id))

    def get_all(self, repository_ids: list[str]) -> dict[str, RepositoryRow]:
        """Returns the live repositories, by id."""
        batch = Batch()
        reads = {identifier: batch.add(RepositoryRow, keys.repository(identifier)) for identifier in repository_ids}
        if reads:
            batch.read()
        return {identifier: read.row for identifier, read in reads.items() if read.row and read.row.is_live}

    def require_unchanged(self, transaction: Transaction, repository: Repository) -> None:
        """Makes a transaction fail if the repository was deleted or replaced by one of the same name."""
        self._check(transaction, repository, RepositoryNameRow.state == RepositoryState.LIVE)

    def require_normal(self, transaction: Transaction, repository: Repository) -> None:
        """Makes a transaction fail if the repository was deleted or replaced, or no longer accepts pushes."""
        is_open = (RepositoryNameRow.state == RepositoryState.LIVE) & (RepositoryNameRow.mode == Mode.NORMAL)
        self._check(transaction, repository, is_open)

    def _check(self, transaction: Transaction, repository: Repository, condition: Condition) -> None:
        key = keys.repository_name(repository.namespace_id, repository.name.repository)
        condition &= RepositoryNameRow.repository_id == repository.id
        transaction.check(RepositoryNameRow, key, condition)

    def begin(self, namespace_id: str, name: RepositoryName, identifier: str, until: int) -> str:
        """Returns the id of a repository that does not exist yet: `identifier`, or that of an upload before it."""
        row = BegunRepositoryRow.under(keys.begun_repository(namespace_id, name.repository))
        first = BegunRepositoryRow.repository_id | identifier
        row.update([BegunRepositoryRow.repository_id.set(first), BegunRepositoryRow.expires_at.set(until)])
        return row.repository_id

    def begun(self, namespace_id: str, name: RepositoryName) -> str | None:
        """Returns the id of a repository into which an upload has begun; None if there is none."""
        row = get(BegunRepositoryRow, keys.begun_repository(namespace_id, name.repository))
        return row.repository_id if row else None

    def end_begun(self, transaction: Transaction, repository: Repository, begun: str | None) -> None:
        """Removes the id of a repository that is created, if it is as it was read: `begun`, None for none."""
        row = BegunRepositoryRow.under(keys.begun_repository(repository.namespace_id, repository.name.repository))
        transaction.delete(row, BegunRepositoryRow.repository_id == begun if begun else absent())

    def with_namespaces(
        self, repository_ids: Sequence[str], namespace_ids: Iterable[str]
    ) -> tuple[dict[str, RepositoryRow], dict[str, NamespaceRow]]:
        """Returns live repositories and existing namespaces by their ids, read in one batch."""
        batch = Batch()
        rows = {identifier: batch.add(RepositoryRow, keys.repository(identifier)) for identifier in repository_ids}
        namespaces = {
            namespace_id: batch.add(NamespaceRow, keys.namespace(namespace_id)) for namespace_id in namespace_ids
        }
        if rows:
            batch.read()
        alive = {identifier: read.row for identifier, read in rows.items() if read.row and read.row.is_live}
        return alive, {identifier: read.row for identifier, read in namespaces.items() if read.row}

    def in_namespace(self, namespace_id: str, after: str, page: int) -> Iterator[RepositoryNameRow]:
        """Yields a namespace's live repositories after the name `after`, by name, reading `page` at a time."""
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
        """Writes a repository, by name and by id, if the name is free."""
        name, by_id = _rows(repository, visibility, created_at)
        name.description, by_id.description = listed_description(description), description
        self._put(transaction, repository, name, by_id)

    def add_mirrored(
        self, transaction: Transaction, repository: Repository, visibility: Visibility, robot_id: str, created_at: int
    ) -> None:
        """Writes a repository that the mirror of its organization fills by a robot, if the name is free."""
        name, by_id = _rows(repository, visibility, created_at)
        name.mode = by_id.mode = Mode.ORG_MIRROR
        name.mirror_robot = robot_id
        self._put(transaction, repository, name, by_id)

    def _put(
        self, transaction: Transaction, repository: Repository, name: RepositoryNameRow, by_id: RepositoryRow
    ) -> None:
        transaction.put(name, absent())
        transaction.put(by_id, absent())
        put_words(transaction, SearchKind.REPOSITORY, name.name, repository.id, repository.namespace_id)

    def change(self, transaction: Transaction, row: RepositoryNameRow, **changed: str) -> None:
        """Changes attributes that both rows of a repository have, if it has the version that was read."""
        by_name = {name: listed_description(text) if name == "description" else text for name, text in changed.items()}
        name_actions = [getattr(RepositoryNameRow, field).set(value) for field, value in by_name.items()]
        by_id_actions = [getattr(RepositoryRow, field).set(value) for field, value in changed.items()]
        if "visibility" in changed:
            name_actions.append(RepositoryNameRow.view.set(keys.view_catalog(changed["visibility"])))
        name_actions.append(RepositoryNameRow.version.set(row.version + 1))
        is_same = (RepositoryNameRow.repository_id == row.repository_id) & at_version(
            RepositoryNameRow.version, row.version
        )
        transaction.update(row, *name_actions, condition=is_same)
        by_id = RepositoryRow.under(keys.repository(row.repository_id))
        transaction.update(by_id, *by_id_actions, condition=RepositoryRow.pk.exists())

    def mark_deleted(
        self,
        transaction: Transaction,
        namespace_id: str,
        row: RepositoryNameRow,
        identifier: str,
        times: tuple[int, int],
    ) -> None:
        """Marks a repository as deleted and frees its name, if it still has the version that was read.

        `identifier` is a new ULID, `times` are the times of deletion and of the purge, in seconds.
        """
        deleted_at, purge_at = times
        fields = {field: getattr(row, field) for field in KEPT}
        gone = DeletedRepositoryRow.under(
            keys.gone(namespace_id, row.name, identifier), deleted_at=deleted_at, purge_at=purge_at, **fields
        )
        is_same = (RepositoryNameRow.repository_id == row.repository_id) & at_version(
            RepositoryNameRow.version, row.version
        )
        transaction.delete(row, is_same)
        transaction.put(gone)
        by_id = RepositoryRow.under(keys.repository(row.repository_id))
        actions = [RepositoryRow.state.set(RepositoryState.DELETED), RepositoryRow.gone.set(identifier)]
        transaction.update(by_id, *actions, condition=RepositoryRow.pk.exists())
        delete_words(transaction, row.name, row.repository_id)

    def public(self, after: str, limit: int) -> Iterator[RepositoryNameRow]:
        """Yields public repositories after the full name `after`, by name. The index lags."""
        rows = view(RepositoryNameRow, keys.view_catalog(Visibility.PUBLIC), after, limit)
        return (row for row in rows if row.state == RepositoryState.LIVE)

    def pushed(self, repository_ids: Sequence[str]) -> dict[str, int]:
        """Returns the times of the last pushes into repositories, by id, for those that have one."""
        batch = Batch()
        reads = {identifier: batch.add(PushedRow, keys.pushed(identifier)) for identifier in repository_ids}
        batch.read()
        return {identifier: read.row.at for identifier, read in reads.items() if read.row}

    def sizes(self, repository_ids: Sequence[str]) -> dict[str, int]:
        """Returns the exact number of bytes that repositories link, by id, with one call for each dozen."""
        batch = Batch()
        reads = {
            identifier: [batch.add(SizeRow, key) for key in keys.repository_sizes(identifier)]
            for identifier in repository_ids
        }
        batch.read()
        return {
            identifier: sum(read.row.bytes for read in reads_of_repository if read.row)
            for identifier, reads_of_repository in reads.items()
        }

    def owned(self, namespace_id: str, namespace: str, after: str, limit: int) -> Iterator[str]:
        """Yields the full names of a namespace's repositories after the full name `after`, in order."""
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


def _rows(
    repository: Repository, visibility: Visibility, created_at: int | None
) -> tuple[RepositoryNameRow, RepositoryRow]:
    """Returns the rows of a new repository, by name and by id."""
    shared = {"name": repository.name.repository, "visibility": visibility}
    name = RepositoryNameRow.under(
        keys.repository_name(repository.namespace_id, repository.name.repository),
        repository_id=repository.id,
        created_at=created_at,
        status_token=str(uuid4()),
        view=keys.view_catalog(visibility),
        view_at=str(repository.name),
        **shared,
    )
    by_id = RepositoryRow.under(
        keys.repository(repository.id),
        namespace_id=repository.namespace_id,
        namespace=repository.name.namespace,
        **shared,
    )
    return name, by_id


def pushed_row(repository_id: str, now: int) -> PushedRow:
    """Creates the row that says that a tag of a repository was pushed at `now`."""
    return PushedRow.under(keys.pushed(repository_id), at=now)

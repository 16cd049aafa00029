"""Repositories, rights on them and their sizes as they are kept."""

from collections.abc import Iterator

from pynamodb.attributes import UnicodeAttribute, UnicodeSetAttribute

from chalicelib.domain.digests import Digest
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Role
from chalicelib.domain.repositories import Mode, Repository, Visibility
from chalicelib.storage import keys
from chalicelib.storage.attributes import Integer, OptionalText
from chalicelib.storage.table import Batch, Row, Transaction, absent, get, query, view


class RepositoryNameRow(Row):
    """A repository's name, pointing to its id. `waits` holds the kinds of event that a notification waits for."""

    name = UnicodeAttribute()
    repository_id = UnicodeAttribute()
    state = UnicodeAttribute(default="live")
    mode = UnicodeAttribute(default=Mode.NORMAL.value)
    visibility = UnicodeAttribute()
    description = UnicodeAttribute(default="")
    waits = UnicodeSetAttribute(null=True)
    # Which tags may not change, by the repository's policies (domain/policies.py); None for none.
    immutability = OptionalText()
    version = Integer(default=0)
    view = UnicodeAttribute()
    view_at = UnicodeAttribute()


class RepositoryRow(Row):
    """The way back from the id."""

    namespace_id = UnicodeAttribute()
    namespace = UnicodeAttribute()
    name = UnicodeAttribute()
    state = UnicodeAttribute(default="live")
    visibility = UnicodeAttribute()

    @property
    def is_live(self) -> bool:
        """Whether the repository is there, not deleted."""
        return self.state == "live"


class PermissionRow(Row):
    """The role of an account or a team on a repository; `name` and `kind` (user, robot, team) are the holder's."""

    role = UnicodeAttribute()
    holder_id = OptionalText()
    name = OptionalText()
    kind = OptionalText()


class GrantRow(Row):
    """The same, found by the holder."""

    role = UnicodeAttribute()
    repository_id = UnicodeAttribute()


class SizeRow(Row):
    """Bytes linked, one of eight counters."""

    bytes = Integer()


class RepositoryStore:
    """Repositories in the table."""

    def find(self, namespace_id: str, name: RepositoryName) -> RepositoryNameRow | None:
        """The row of a live name."""
        row = get(RepositoryNameRow, keys.repository_name(namespace_id, name.repository))
        return row if row and row.state == "live" else None

    def get(self, repository_id: str) -> RepositoryRow | None:
        """A repository by its id."""
        return get(RepositoryRow, keys.repository(repository_id))

    def get_all(self, repository_ids: list[str]) -> dict[str, RepositoryRow]:
        """Repositories by their ids, those that are there."""
        batch = Batch()
        reads = {identifier: batch.add(RepositoryRow, keys.repository(identifier)) for identifier in repository_ids}
        if reads:
            batch.read()
        return {identifier: read.row for identifier, read in reads.items() if read.row}

    def still(self, transaction: Transaction, repository: Repository) -> None:
        """Lets a transaction fail where a name does not lead to this repository any more."""
        key = keys.repository_name(repository.namespace_id, repository.name.repository)
        condition = (RepositoryNameRow.repository_id == repository.id) & (RepositoryNameRow.state == "live")
        transaction.check(RepositoryNameRow, key, condition)

    def add(self, transaction: Transaction, repository: Repository, visibility: Visibility) -> None:
        """Writes a repository's name, and the way back, on condition that the name is free."""
        shared = {"name": repository.name.repository, "visibility": visibility.value}
        name = RepositoryNameRow.under(
            keys.repository_name(repository.namespace_id, repository.name.repository),
            repository_id=repository.id,
            view=keys.view_catalog(visibility.value),
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
        transaction.put(back)

    def change_visibility(self, row: RepositoryNameRow, visibility: Visibility) -> None:
        """Makes a repository public or private. Raises LostRace when the row changed meanwhile."""
        transaction = Transaction()
        actions = [
            RepositoryNameRow.visibility.set(visibility.value),
            RepositoryNameRow.view.set(keys.view_catalog(visibility.value)),
            RepositoryNameRow.version.set(row.version + 1),
        ]
        transaction.update(row, *actions, condition=RepositoryNameRow.version == row.version)
        back = RepositoryRow.under(keys.repository(row.repository_id))
        transaction.update(back, RepositoryRow.visibility.set(visibility.value))
        transaction.commit()

    def grant(self, repository: Repository, account_id: str, role: Role) -> None:
        """Gives an account a role on a repository."""
        transaction = Transaction()
        transaction.put(PermissionRow.under(keys.permission(repository.id, account_id), role=role.value))
        found = keys.grant(account_id, repository.namespace_id, repository.id)
        transaction.put(GrantRow.under(found, role=role.value, repository_id=repository.id))
        transaction.commit()

    def granted(self, account_id: str) -> list[str]:
        """Ids of the repositories an account has been granted a role on."""
        return [row.repository_id for row in query(GrantRow, keys.grants(account_id))]

    def public(self, after: str, limit: int) -> Iterator[str]:
        """Full names of public repositories past `after`, in order (from an index, which may lag)."""
        rows = view(RepositoryNameRow, keys.view_catalog(Visibility.PUBLIC.value), after, limit)
        return (row.view_at for row in rows if row.state == "live")

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
            if row.state == "live":
                yield prefix + row.name


def change_size(transaction: Transaction, namespace_id: str, repository_id: str, digest: Digest, size: int) -> None:
    """Counts a blob's link made (size above 0) or removed (below) for repository and namespace."""
    for key in keys.sizes(namespace_id, repository_id, digest):
        transaction.update(SizeRow.under(key), SizeRow.bytes.add(size))

"""Stores the roles of accounts and teams on repositories, found by repository, by holder and by namespace."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chalicelib.domain.permissions import HolderKind, Role
from chalicelib.domain.repositories import Repository
from chalicelib.storage import keys
from chalicelib.storage.keys import Key
from chalicelib.storage.registry.repositories import PermissionRow, RoleRow
from chalicelib.storage.table import Batch, Row, Transaction, absent, get, query

# The repository that a role is for: the ids of its namespace and of itself.
Where = tuple[str, str]


@dataclass(frozen=True, slots=True)
class RoleHolder:
    """An account or a team that has a role."""

    id: str
    name: str
    kind: HolderKind

    def role_key(self, namespace_id: str, repository_id: str) -> Key:
        """Returns the key of its role on a repository, as found by the holder."""
        draw = keys.team_role if self.kind == HolderKind.TEAM else keys.role
        return draw(self.id, namespace_id, repository_id)


class RoleHolderRow(Row):
    """Says that an account has a role on one of a namespace's repositories."""


class PermissionStore:
    """The permissions in the table."""

    def of_repository(self, repository_id: str) -> list[PermissionRow]:
        """Returns all roles on a repository."""
        return list(query(PermissionRow, keys.permission(repository_id)))

    def of_holders(self, repository_id: str, holder_ids: Sequence[str]) -> list[Role]:
        """Returns the roles that some accounts and teams have on a repository, with one read."""
        batch = Batch()
        reads = [batch.add(PermissionRow, keys.permission(repository_id, identifier)) for identifier in holder_ids]
        if reads:
            batch.read()
        return [read.row.role for read in reads if read.row]

    def holder_id(self, row: PermissionRow) -> str:
        """Returns the id of the account or team that has the role."""
        return row.sk.removeprefix(keys.permission("")[1])

    def put(self, transaction: Transaction, where: Where, holder: RoleHolder, role: Role, *, is_new: bool) -> None:
        """Writes a role. With `is_new` the holder must have none yet, otherwise it must have one."""
        namespace_id, repository_id = where
        fields = {"role": role, "holder_id": holder.id, "name": holder.name, "kind": holder.kind}
        row = PermissionRow.under(keys.permission(repository_id, holder.id), **fields)
        transaction.put(row, absent() if is_new else PermissionRow.pk.exists())
        holder_key = holder.role_key(namespace_id, repository_id)
        transaction.put(RoleRow.under(holder_key, role=role, repository_id=repository_id))
        if holder.kind != HolderKind.TEAM:
            transaction.put(RoleHolderRow.under(keys.given(namespace_id, holder.id, repository_id)))

    def let_write(self, transaction: Transaction, repository: Repository, holder: RoleHolder) -> str | None:
        """Gives the role WRITE to a holder that has less; returns the kind of its record, None if nothing changes."""
        stored = get(PermissionRow, keys.permission(repository.id, holder.id))
        if stored is not None and stored.role is not Role.READ:
            return None
        where = repository.namespace_id, repository.id
        self.put(transaction, where, holder, Role.WRITE, is_new=stored is None)
        return "change_repo_permission" if stored else "add_repo_permission"

    def remove(self, transaction: Transaction, where: Where, holder: RoleHolder) -> None:
        """Removes a role if it exists."""
        namespace_id, repository_id = where
        row = PermissionRow.under(keys.permission(repository_id, holder.id))
        transaction.delete(row, PermissionRow.pk.exists())
        transaction.delete(RoleRow.under(holder.role_key(namespace_id, repository_id)))
        transaction.delete(RoleHolderRow.under(keys.given(namespace_id, holder.id, repository_id)))

    def discard_role(self, transaction: Transaction, where: Where, holder: RoleHolder) -> None:
        """Removes a role. Does nothing if it does not exist."""
        transaction.delete(PermissionRow.under(keys.permission(where[1], holder.id)))
        transaction.delete(RoleRow.under(holder.role_key(*where)))
        transaction.delete(RoleHolderRow.under(keys.given(where[0], holder.id, where[1])))

    def end_role(self, where: Where, holder: RoleHolder) -> None:
        """Removes a role in a transaction of its own. Does nothing if it does not exist."""
        transaction = Transaction()
        self.discard_role(transaction, where, holder)
        transaction.commit()

    def roles_of(self, holder: RoleHolder, namespace_id: str = "") -> list[tuple[str, str, Role]]:
        """Returns a holder's roles as (namespace id, repository id, role), in one namespace or in all."""
        everywhere = keys.team_roles if holder.kind == HolderKind.TEAM else keys.roles
        rows = query(RoleRow, holder.role_key(namespace_id, "") if namespace_id else everywhere(holder.id))
        return [(row.sk.split("#")[1], row.repository_id, row.role) for row in rows]

    def accounts_in(self, namespace_id: str) -> dict[str, list[str]]:
        """Returns the ids of the accounts that have roles in a namespace, each with its repositories' ids."""
        repositories: dict[str, list[str]] = {}
        rows: Iterable[RoleHolderRow] = query(RoleHolderRow, keys.given(namespace_id))
        for row in rows:
            _, account_id, repository_id = row.sk.split("#")
            repositories.setdefault(account_id, []).append(repository_id)
        return repositories

"""Roles of accounts and teams on repositories as they are kept: found by repository, by holder and by namespace."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chalicelib.domain.permissions import HolderKind, Role
from chalicelib.storage import keys
from chalicelib.storage.keys import Key
from chalicelib.storage.registry.repositories import PermissionRow, RoleRow
from chalicelib.storage.table import Batch, Row, Transaction, absent, query

# Where a role holds: ids of namespace and repository.
Where = tuple[str, str]


@dataclass(frozen=True, slots=True)
class RoleHolder:
    """An account or a team that has a role."""

    id: str
    name: str
    kind: HolderKind

    def found(self, namespace_id: str, repository_id: str) -> Key:
        """The key under which its role is found by itself."""
        draw = keys.team_role if self.kind == HolderKind.TEAM else keys.role
        return draw(self.id, namespace_id, repository_id)


class RoleHolderRow(Row):
    """That an account has a role on one of a namespace's repositories."""


class PermissionStore:
    """Permissions in the table."""

    def of_repository(self, repository_id: str) -> list[PermissionRow]:
        """All roles on a repository."""
        return list(query(PermissionRow, keys.permission(repository_id)))

    def of_holders(self, repository_id: str, holder_ids: Sequence[str]) -> list[Role]:
        """The roles that some accounts and teams have on a repository, by one read."""
        batch = Batch()
        reads = [batch.add(PermissionRow, keys.permission(repository_id, identifier)) for identifier in holder_ids]
        if reads:
            batch.read()
        return [read.row.role for read in reads if read.row]

    def holder_id(self, row: PermissionRow) -> str:
        """The account or team whose role this is."""
        return row.sk.removeprefix(keys.permission("")[1])

    def put(self, transaction: Transaction, where: Where, holder: RoleHolder, role: Role, *, is_new: bool) -> None:
        """Gives a role, on condition that the holder has none yet, or that it has one."""
        namespace_id, repository_id = where
        shown = {"role": role, "holder_id": holder.id, "name": holder.name, "kind": holder.kind}
        row = PermissionRow.under(keys.permission(repository_id, holder.id), **shown)
        transaction.put(row, absent() if is_new else PermissionRow.pk.exists())
        found = holder.found(namespace_id, repository_id)
        transaction.put(RoleRow.under(found, role=role, repository_id=repository_id))
        if holder.kind != HolderKind.TEAM:
            transaction.put(RoleHolderRow.under(keys.given(namespace_id, holder.id, repository_id)))

    def remove(self, transaction: Transaction, where: Where, holder: RoleHolder) -> None:
        """Takes a role back, on condition that it was given."""
        namespace_id, repository_id = where
        row = PermissionRow.under(keys.permission(repository_id, holder.id))
        transaction.delete(row, PermissionRow.pk.exists())
        transaction.delete(RoleRow.under(holder.found(namespace_id, repository_id)))
        transaction.delete(RoleHolderRow.under(keys.given(namespace_id, holder.id, repository_id)))

    def take(self, transaction: Transaction, where: Where, holder: RoleHolder) -> None:
        """Takes a role back, whether it is there or not."""
        transaction.delete(PermissionRow.under(keys.permission(where[1], holder.id)))
        transaction.delete(RoleRow.under(holder.found(*where)))
        transaction.delete(RoleHolderRow.under(keys.given(where[0], holder.id, where[1])))

    def forget(self, where: Where, holder: RoleHolder) -> None:
        """Takes a role back from a holder that is gone; done again, it changes nothing."""
        transaction = Transaction()
        self.take(transaction, where, holder)
        transaction.commit()

    def held(self, holder: RoleHolder, namespace_id: str = "") -> list[tuple[str, str, Role]]:
        """What a holder was given: ids of namespace and repository, and the role; in one namespace or in all."""
        everywhere = keys.team_roles if holder.kind == HolderKind.TEAM else keys.roles
        rows = query(RoleRow, holder.found(namespace_id, "") if namespace_id else everywhere(holder.id))
        return [(row.sk.split("#")[1], row.repository_id, row.role) for row in rows]

    def accounts_in(self, namespace_id: str) -> dict[str, list[str]]:
        """Ids of the accounts that have a role somewhere in a namespace, and on which repositories."""
        found: dict[str, list[str]] = {}
        rows: Iterable[RoleHolderRow] = query(RoleHolderRow, keys.given(namespace_id))
        for row in rows:
            _, account_id, repository_id = row.sk.split("#")
            found.setdefault(account_id, []).append(repository_id)
        return found

"""Removes the rows that a deleted namespace or team leaves, each from every place where it is found.

Each step removes some rows and returns whether there may be more. A repeated step changes nothing.
"""

from functools import partial

from chalicelib.domain.ids import ulid
from chalicelib.domain.permissions import HolderKind
from chalicelib.domain.states import NamespaceState
from chalicelib.domain.timers import PURGE_REPOSITORY
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountNameRow, AccountRow, NamespaceRow, RobotRow
from chalicelib.storage.accounts.permissions import PermissionStore, RoleHolder, RoleHolderRow
from chalicelib.storage.accounts.renames import RenameStore
from chalicelib.storage.accounts.teams import MemberRow, TeamNameRow, TeamRow, TeamStore
from chalicelib.storage.identity.applications import ApplicationRow, ApplicationStore
from chalicelib.storage.identity.tokens import TokenRow
from chalicelib.storage.mirroring.mirrors import MirrorStore
from chalicelib.storage.mirroring.proxy_caches import ProxyCacheRow
from chalicelib.storage.registry.repositories import (
    DeletedRepositoryRow,
    RepositoryNameRow,
    RepositoryStore,
    RoleRow,
)
from chalicelib.storage.registry.sizes import SizeRow
from chalicelib.storage.table import Row, Transaction, get, query, retry_on_conflict
from chalicelib.storage.timers import timer

AT_ONCE = 25


class NamespacePurgeStore:
    """The rows that deleted namespaces and teams leave. `AccountDeletionStore` removes those of their accounts."""

    def __init__(
        self,
        repositories: RepositoryStore,
        teams: TeamStore,
        permissions: PermissionStore,
        applications: ApplicationStore,
        renames: RenameStore,
    ) -> None:
        self._repositories, self._teams, self._permissions = repositories, teams, permissions
        self._applications, self._renames, self._mirrors = applications, renames, MirrorStore()

    def delete_repositories(self, namespace_id: str, now: int, purge_at: int) -> bool:
        """Deletes repositories; their content is purged at `purge_at`, in seconds. Nobody can restore them."""
        key = keys.repository_name(namespace_id, "")
        rows = list(query(RepositoryNameRow, key, limit=AT_ONCE))
        for row in rows:
            retry_on_conflict(partial(self._mark_deleted, namespace_id, row.sk, (now, purge_at)))
        return len(rows) == AT_ONCE

    def _mark_deleted(self, namespace_id: str, name: str, times: tuple[int, int]) -> None:
        row = get(RepositoryNameRow, (keys.namespace(namespace_id)[0], name))
        if row is not None:
            transaction = Transaction()
            self._repositories.mark_deleted(transaction, namespace_id, row, ulid(times[0]), times)
            self._mirrors.suspend(transaction, row)
            transaction.put(timer(PURGE_REPOSITORY, row.repository_id, times[1]))
            transaction.commit()

    def robots(self, namespace_id: str) -> list[RobotRow]:
        """Returns some robots of a namespace."""
        return list(query(RobotRow, keys.robot(namespace_id, ""), limit=AT_ONCE))

    def keeper(self, namespace_id: str) -> str | None:
        """Returns the account that writes what a proxy cache fetches; None if the organization is none."""
        row = get(ProxyCacheRow, keys.proxy_cache(namespace_id))
        return row.keeper_id if row else None

    def end_keeper(self, namespace_id: str, keeper_id: str) -> None:
        """Removes a proxy cache with its keeper."""
        transaction = Transaction()
        transaction.delete(ProxyCacheRow.under(keys.proxy_cache(namespace_id)))
        transaction.delete(AccountRow.under(keys.account(keeper_id)))
        transaction.commit()

    def end_robot(self, row: RobotRow) -> None:
        """Removes a robot with its account and its name."""
        account = get(AccountRow, keys.account(row.account_id))
        transaction = Transaction()
        transaction.delete(RobotRow.under(row.key))
        transaction.delete(AccountRow.under(keys.account(row.account_id)))
        if account is not None:
            self._free(transaction, account.name, account.id)
        transaction.commit()

    def _free(self, transaction: Transaction, name: str, identifier: str) -> None:
        pointer = AccountNameRow.under(keys.account_name(name))
        transaction.delete(pointer, AccountNameRow.pk.does_not_exist() | (AccountNameRow.id == identifier))

    def end_teams(self, namespace_id: str) -> bool:
        """Empties the first team of a namespace, and removes it once it has neither members nor roles."""
        names = list(query(TeamNameRow, keys.team_name(namespace_id), limit=1))
        for row in names:
            if self.empty_team(namespace_id, row.team_id):
                return True
            transaction = Transaction()
            transaction.delete(TeamNameRow.under(row.key))
            transaction.delete(TeamRow.under(keys.team(row.team_id)))
            transaction.commit()
        return bool(names)

    def empty_team(self, namespace_id: str, team_id: str) -> bool:
        """Removes members and roles of a team."""
        members = list(query(MemberRow, keys.team_member(team_id), limit=AT_ONCE))
        for row in members:
            retry_on_conflict(partial(self._teams.end_membership, namespace_id, team_id, row.account_id))
        roles = list(query(RoleRow, keys.team_roles(team_id), limit=AT_ONCE))
        holder = RoleHolder(team_id, "", HolderKind.TEAM)
        for role in roles:
            retry_on_conflict(partial(self._permissions.end_role, (namespace_id, role.repository_id), holder))
        return AT_ONCE in (len(members), len(roles))

    def end_applications(self, namespace_id: str) -> bool:
        """Removes applications and their tokens, which are no longer accepted."""
        tokens = list(query(TokenRow, keys.application_tokens(namespace_id), limit=AT_ONCE))
        for token in tokens:
            retry_on_conflict(partial(self._end_token, token))
        if len(tokens) == AT_ONCE:
            return True
        applications = list(query(ApplicationRow, keys.application(namespace_id), limit=AT_ONCE))
        for row in applications:
            transaction = Transaction()
            transaction.delete(ApplicationRow.under(row.key))
            transaction.delete(Row.under(keys.client(row.client_id)))
            transaction.commit()
        return len(applications) == AT_ONCE

    def _end_token(self, token: TokenRow) -> None:
        transaction = Transaction()
        transaction.delete(TokenRow.under(keys.token(token.sha256 or "")))
        transaction.delete(TokenRow.under(keys.account_token(token.owner_id, token.kind, token.uuid)))
        self._applications.unlist(transaction, token)
        transaction.commit()

    def end_roles(self, namespace_id: str) -> bool:
        """Removes the roles that users have on a namespace's repositories."""
        rows = list(query(RoleHolderRow, keys.given(namespace_id), limit=AT_ONCE))
        for row in rows:
            _, account_id, repository_id = row.sk.split("#")
            holder = RoleHolder(account_id, "", HolderKind.USER)
            retry_on_conflict(partial(self._permissions.end_role, (namespace_id, repository_id), holder))
        return len(rows) == AT_ONCE

    def free_former_names(self, namespace_id: str) -> bool:
        """Frees the names that a namespace had before."""
        for name in self._renames.former_names(namespace_id):
            retry_on_conflict(partial(self._renames.free_former_name, namespace_id, name))
        return False

    def remove_rest(self, namespace_id: str) -> bool:
        """Removes all other rows of a namespace's partition, except its own, sizes and repositories."""
        more = False
        for pk, first, last in keys.namespace_rest(namespace_id):
            rows = list(Row.query(pk, Row.sk.between(first, last), limit=AT_ONCE, consistent_read=True))
            for row in rows:
                transaction = Transaction()
                transaction.delete(Row.under(row.key))
                transaction.commit()
            more = more or len(rows) == AT_ONCE
        return more

    def free_name(self, namespace: NamespaceRow) -> None:
        """Frees the name of a namespace that has nothing left but deleted repositories."""
        transaction, identifier = Transaction(), keys.namespace_id(namespace.pk)
        self._free(transaction, namespace.name, identifier)
        is_same = NamespaceRow.state == namespace.state
        transaction.update(namespace, NamespaceRow.state.set(NamespaceState.PURGED), condition=is_same)
        transaction.commit()

    def keeps_repositories(self, namespace_id: str) -> bool:
        """Whether a namespace still has deleted repositories."""
        return any(query(DeletedRepositoryRow, keys.gone_repositories(namespace_id), limit=1))

    def remove_namespace(self, namespace_id: str) -> None:
        """Removes the row of a namespace, with its counters."""
        transaction = Transaction()
        transaction.delete(NamespaceRow.under(keys.namespace(namespace_id)))
        for key in keys.namespace_sizes(namespace_id):
            transaction.delete(SizeRow.under(key))
        transaction.commit()

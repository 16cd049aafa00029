"""Removes the rows that a deleted account leaves, each from every place where it is found.

Each step removes some rows and returns whether there may be more. A repeated step changes nothing.
"""

from functools import partial

from chalicelib.domain.permissions import HolderKind
from chalicelib.storage import keys
from chalicelib.storage.accounts.permissions import PermissionStore, RoleHolder
from chalicelib.storage.accounts.teams import MembershipRow, TeamStore
from chalicelib.storage.identity.applications import ApplicationStore
from chalicelib.storage.identity.tokens import TokenKind, TokenRow
from chalicelib.storage.table import Row, Transaction, query, retry_on_conflict

AT_ONCE = 50


class AccountDeletionStore:
    """The rows that deleted accounts leave."""

    def __init__(self, applications: ApplicationStore, teams: TeamStore, permissions: PermissionStore) -> None:
        self._applications, self._teams, self._permissions = applications, teams, permissions

    def end_tokens(self, account_id: str) -> bool:
        """Removes tokens and sessions, by their hashes and from every list."""
        tokens = list(query(TokenRow, keys.account_tokens(account_id), limit=AT_ONCE))
        for token in tokens:
            retry_on_conflict(partial(self._remove_token, token))
        return len(tokens) == AT_ONCE

    def _remove_token(self, token: TokenRow) -> None:
        transaction = Transaction()
        transaction.delete(TokenRow.under(keys.token(token.sha256 or "")))
        transaction.delete(TokenRow.under(token.key))
        if token.kind == TokenKind.OAUTH:
            self._applications.unlist(transaction, token)
        transaction.commit()

    def leave_teams(self, account_id: str) -> bool:
        """Removes memberships from the account and from the teams."""
        memberships = list(query(MembershipRow, keys.membership(account_id), limit=AT_ONCE))
        for row in memberships:
            retry_on_conflict(partial(self._teams.end_membership, row.namespace_id, row.team_id, account_id))
        return len(memberships) == AT_ONCE

    def end_roles(self, account_id: str) -> bool:
        """Removes roles on repositories from the account, the repositories and their namespaces."""
        holder = RoleHolder(account_id, "", HolderKind.USER)
        for namespace_id, repository_id, _ in self._permissions.roles_of(holder):
            retry_on_conflict(partial(self._permissions.end_role, (namespace_id, repository_id), holder))
        return False

    def remove_rest(self, account_id: str) -> bool:
        """Removes the rows that only the account has: stars, notifications, token offers, times of use."""
        more = False
        for key in keys.account_leavings(account_id):
            rows = list(query(Row, key, limit=AT_ONCE))
            for row in rows:
                retry_on_conflict(partial(self._remove_row, row))
            more = more or len(rows) == AT_ONCE
        return more

    def _remove_row(self, row: Row) -> None:
        transaction = Transaction()
        transaction.delete(Row.under(row.key))
        transaction.commit()

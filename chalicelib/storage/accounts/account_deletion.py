"""What the account of somebody who is gone leaves: found by the account, and removed with its other ends.

Each step removes some and says whether there may be more; done again, it changes nothing.
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
    """The leavings of accounts."""

    def __init__(self, applications: ApplicationStore, teams: TeamStore, permissions: PermissionStore) -> None:
        self._applications, self._teams, self._permissions = applications, teams, permissions

    def end_tokens(self, account_id: str) -> bool:
        """Removes tokens and sessions, found by the hash and in every list."""
        found = list(query(TokenRow, keys.account_tokens(account_id), limit=AT_ONCE))
        for token in found:
            retry_on_conflict(partial(self._end, token))
        return len(found) == AT_ONCE

    def _end(self, token: TokenRow) -> None:
        transaction = Transaction()
        transaction.delete(TokenRow.under(keys.token(token.sha256 or "")))
        transaction.delete(TokenRow.under(token.key))
        if token.kind == TokenKind.OAUTH:
            self._applications.unlist(transaction, token)
        transaction.commit()

    def leave_teams(self, account_id: str) -> bool:
        """Removes memberships, found by the account and by the team."""
        found = list(query(MembershipRow, keys.membership(account_id), limit=AT_ONCE))
        for row in found:
            retry_on_conflict(partial(self._teams.forget, row.namespace_id, row.team_id, account_id))
        return len(found) == AT_ONCE

    def take_roles(self, account_id: str) -> bool:
        """Removes roles on repositories, found by the account, the repository and its namespace."""
        holder = RoleHolder(account_id, "", HolderKind.USER)
        for namespace_id, repository_id, _ in self._permissions.held(holder):
            retry_on_conflict(partial(self._permissions.forget, (namespace_id, repository_id), holder))
        return False

    def forget(self, account_id: str) -> bool:
        """Removes what nobody else finds: stars, notices, offers, times of use."""
        more = False
        for place in keys.account_leavings(account_id):
            found = list(query(Row, place, limit=AT_ONCE))
            for row in found:
                retry_on_conflict(partial(self._drop, row))
            more = more or len(found) == AT_ONCE
        return more

    def _drop(self, row: Row) -> None:
        transaction = Transaction()
        transaction.delete(Row.under(row.key))
        transaction.commit()

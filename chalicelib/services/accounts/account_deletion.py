"""Deletes users. One transaction removes the account; a timer removes the rest afterwards.

Without the account, no password, session or token of the user is accepted, and nothing in the namespace is found by its
name. The name stays taken until everything is removed, so that its next holder inherits nothing.
"""

from collections.abc import Sequence

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.errors import AccountUnknown, Denied, FieldInvalid, SoleOwner, SuperuserKept
from chalicelib.domain.permissions import Actor
from chalicelib.domain.states import NamespaceState
from chalicelib.domain.teams import TeamRole
from chalicelib.domain.timers import PURGE, SETTLED_S, HasTime
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.security.access import Access
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountRow, NamespaceRow
from chalicelib.storage.accounts.teams import MembershipRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, retry_on_conflict
from chalicelib.storage.timers import timer

# A transaction has a hundred items, and each organization that the user helps to administer takes one.
MOST_OWNED = 90


class AccountDeletion:
    """Deletes users, and removes what they leave."""

    def __init__(self, access: Access, usage_log: UsageLog, stores: Stores) -> None:
        self._access, self._usage_log, self._accounts, self._teams = access, usage_log, stores.accounts, stores.teams
        self._store, self._clock = stores.account_deletion, stores.clock

    def delete_own_account(self, actor: Actor) -> None:
        """Deletes the actor's own account, which needs a session, not a token.

        Raises SoleOwner, SuperuserKept, Unauthenticated, Denied.
        """
        account_id = self._access.require_user(actor)
        if not actor.is_session:
            raise Denied(actor.name, "delete")
        retry_on_conflict(lambda: self._end(actor, account_id))

    def delete_user(self, actor: Actor, name: str) -> None:
        """Deletes a user, as a superuser. Raises AccountUnknown, SoleOwner, SuperuserKept, Denied."""
        self._access.superuser(actor)
        pointer = self._accounts.find(name)
        if pointer is None or pointer.kind != AccountKind.USER:
            raise AccountUnknown(name)
        retry_on_conflict(lambda: self._end(actor, pointer.id))

    def _end(self, actor: Actor, account_id: str) -> None:
        account, memberships = self._accounts.with_memberships(account_id)
        namespace = self._accounts.namespace(account_id)
        if account is None or namespace is None or namespace.state != NamespaceState.LIVE:
            raise AccountUnknown(actor.name)
        if account.superuser:
            raise SuperuserKept("delete")
        transaction, now = Transaction(), int(self._clock())
        for organization in self._owned(account, memberships):
            # If two owners leave at once, both write the organization's version, and one of the two fails.
            self._accounts.put_namespace(transaction, organization)
        self._accounts.mark_deleted(transaction, namespace, now)
        self._accounts.remove_account(transaction, account)
        transaction.put(timer(PURGE, account_id, now + SETTLED_S))
        self._usage_log.record_for_namespace(actor, transaction, "user_delete", account_id, {"username": account.name})
        transaction.commit()

    def _owned(self, account: AccountRow, memberships: Sequence[MembershipRow]) -> list[NamespaceRow]:
        """Returns the organizations that an account helps to administer.

        Each is read before the members of its teams, so that a member who leaves meanwhile wins. Raises SoleOwner with
        those that the account administers alone.
        """
        teams = self._teams.get_all([row.team_id for row in memberships])
        ids = sorted({team.namespace_id for team in teams if team.role is TeamRole.ADMIN})
        if len(ids) > MOST_OWNED:
            raise FieldInvalid("", f"leave some of your {len(ids)} organizations first: at most {MOST_OWNED} at once")
        live = [row for row in self._accounts.namespaces(ids).values() if row.state == NamespaceState.LIVE]
        alone = [row.name for row in live if not self._others(row, account.id)]
        if alone:
            raise SoleOwner(sorted(alone))
        return live

    def _others(self, organization: NamespaceRow, account_id: str) -> bool:
        """Whether another enabled user administers an organization."""
        found: set[str] = set()
        for team in self._teams.of_organization(keys.namespace_id(organization.pk)):
            if team.role is TeamRole.ADMIN:
                members = self._teams.members(team.id)
                found |= {row.account_id for row in members if row.kind == AccountKind.USER}
        others = self._accounts.get_all(sorted(found - {account_id}))
        return any(row.enabled for row in others.values())

    def sweep(self, account_id: str, has_time: HasTime) -> bool:
        """Removes what the account of a user or robot left outside its namespace: tokens, memberships, roles and stars.

        Returns whether all of it is removed; if not, another call continues.
        """
        for sweep in (self._store.end_tokens, self._store.leave_teams, self._store.end_roles, self._store.remove_rest):
            while sweep(account_id):
                if not has_time():
                    return False
        return True

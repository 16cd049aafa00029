"""Reads what an account may see: adjacent rows of accounts, teams and namespaces, one query for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chalicelib.domain.permissions import Role
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.accounts.teams import MembershipRow, TeamRow
from chalicelib.storage.catalog.stars import StarRow
from chalicelib.storage.registry.repositories import RepositoryNameRow, RoleRow
from chalicelib.storage.table import Row, query_run

# Row classes by the beginning of their sort keys.
ROLE = keys.roles("")[1]
ACCOUNT: Mapping[str, type[Row]] = {
    ROLE: RoleRow,
    keys.membership("")[1]: MembershipRow,
    keys.star("")[1]: StarRow,
}
TEAM: Mapping[str, type[Row]] = {ROLE: RoleRow, keys.META: TeamRow}
NAMESPACE: Mapping[str, type[Row]] = {keys.META: NamespaceRow, keys.repository_name("", "")[1]: RepositoryNameRow}


@dataclass(frozen=True, slots=True)
class HeldRole:
    """The roles of an account or team by repository id, and an account's memberships and stars."""

    roles: Mapping[str, Role] = field(default_factory=dict)
    memberships: Sequence[MembershipRow] = ()
    stars: Sequence[StarRow] = ()
    team: TeamRow | None = None


@dataclass(frozen=True, slots=True)
class ViewRange:
    """A page of a namespace's repositories, by name. Only the first page has `namespace`.

    `is_last` says whether no page follows; otherwise the next one begins after the name `last`.
    """

    repositories: Sequence[RepositoryNameRow]
    namespace: NamespaceRow | None
    is_last: bool

    @property
    def last(self) -> str:
        """The name of the last repository that was read."""
        return self.repositories[-1].name if self.repositories else ""


class VisibilityStore:
    """Reads what accounts may see. Each method makes one query per megabyte of rows."""

    def of_account(self, account_id: str) -> HeldRole:
        """Returns an account's own roles, memberships and stars."""
        rows, _ = query_run(keys.account_visibility(account_id), ACCOUNT)
        memberships = [row for row in rows if isinstance(row, MembershipRow)]
        return HeldRole(_roles(rows), memberships, [row for row in rows if isinstance(row, StarRow)])

    def of_team(self, team_id: str) -> HeldRole:
        """Returns a team's roles. `team` is None if it is deleted."""
        rows, _ = query_run(keys.team_visibility(team_id), TEAM)
        return HeldRole(_roles(rows), team=next((row for row in rows if isinstance(row, TeamRow)), None))

    def of_namespace(self, namespace_id: str, after: str, limit: int) -> ViewRange:
        """Returns a namespace's repositories after a name, reading at most `limit` rows."""
        rows, is_last = query_run(keys.namespace_visibility(namespace_id, after), NAMESPACE, limit)
        repositories = [row for row in rows if isinstance(row, RepositoryNameRow)]
        namespace = next((row for row in rows if isinstance(row, NamespaceRow)), None)
        return ViewRange(repositories, namespace, is_last)


def _roles(rows: Sequence[Row]) -> dict[str, Role]:
    return {row.repository_id: row.role for row in rows if isinstance(row, RoleRow)}

"""What an account may see, as it is kept: rows of accounts, teams and namespaces that lie side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chalicelib.domain.permissions import Role
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.accounts.teams import MembershipRow, TeamRow
from chalicelib.storage.catalog.stars import StarRow
from chalicelib.storage.registry.repositories import RepositoryNameRow, RoleRow
from chalicelib.storage.table import Row, query_run

# What each kind of row's sort key begins with.
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
    """What an account or a team holds: roles by repository id, and an account's memberships and stars."""

    roles: Mapping[str, Role] = field(default_factory=dict)
    memberships: Sequence[MembershipRow] = ()
    stars: Sequence[StarRow] = ()
    team: TeamRow | None = None


@dataclass(frozen=True, slots=True)
class ViewRange:
    """Repositories of a namespace in the order of their names; the namespace where they are its first.

    `is_last` is whether no more follow, else `last` is the name to go on from.
    """

    repositories: Sequence[RepositoryNameRow]
    namespace: NamespaceRow | None
    is_last: bool

    @property
    def last(self) -> str:
        """The name of the last repository that was read."""
        return self.repositories[-1].name if self.repositories else ""


class VisibilityStore:
    """What accounts may see, in the table. Each is one query, however much there is of up to a megabyte."""

    def of_account(self, account_id: str) -> HeldRole:
        """What an account holds itself."""
        found, _ = query_run(keys.account_visibility(account_id), ACCOUNT)
        memberships = [row for row in found if isinstance(row, MembershipRow)]
        return HeldRole(_roles(found), memberships, [row for row in found if isinstance(row, StarRow)])

    def of_team(self, team_id: str) -> HeldRole:
        """What a team holds; without `team` where it is gone."""
        found, _ = query_run(keys.team_visibility(team_id), TEAM)
        return HeldRole(_roles(found), team=next((row for row in found if isinstance(row, TeamRow)), None))

    def of_namespace(self, namespace_id: str, after: str, limit: int) -> ViewRange:
        """Repositories of a namespace past a name, of at most `limit` rows that are read."""
        found, is_last = query_run(keys.namespace_visibility(namespace_id, after), NAMESPACE, limit)
        rows = [row for row in found if isinstance(row, RepositoryNameRow)]
        namespace = next((row for row in found if isinstance(row, NamespaceRow)), None)
        return ViewRange(rows, namespace, is_last)


def _roles(found: Sequence[Row]) -> dict[str, Role]:
    return {row.repository_id: row.role for row in found if isinstance(row, RoleRow)}

"""Stores the teams of organizations and their members."""

from collections.abc import Sequence

from pynamodb.attributes import UnicodeAttribute

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.teams import TeamRole
from chalicelib.storage import keys
from chalicelib.storage.attributes import EnumText, Integer
from chalicelib.storage.table import Batch, Row, Transaction, absent, get, query


class TeamNameRow(Row):
    """A team's name, pointing to its id."""

    team_id = UnicodeAttribute()


class TeamRow(Row):
    """A team. Its role is stored only here, so that a change writes one item."""

    id = UnicodeAttribute()
    namespace_id = UnicodeAttribute()
    name = UnicodeAttribute()
    # What its members may do in the organization.
    role = EnumText(TeamRole)
    description = UnicodeAttribute(default="")
    created_at = Integer(default=0)


class MembershipRow(Row):
    """A membership, found by the account."""

    namespace_id = UnicodeAttribute()
    team_id = UnicodeAttribute()


class MemberRow(Row):
    """A membership, found by the team. `name` and `kind` are the account's."""

    account_id = UnicodeAttribute()
    name = UnicodeAttribute()
    kind = EnumText(AccountKind)


class TeamStore:
    """The teams in the table."""

    def find(self, namespace_id: str, name: str) -> TeamRow | None:
        """Returns a team of an organization by its name."""
        pointer = get(TeamNameRow, keys.team_name(namespace_id, name)) if name else None
        return get(TeamRow, keys.team(pointer.team_id)) if pointer else None

    def of_organization(self, namespace_id: str) -> list[TeamRow]:
        """Returns all teams of an organization, by name."""
        return self.get_all([row.team_id for row in query(TeamNameRow, keys.team_name(namespace_id))])

    def get_all(self, team_ids: Sequence[str]) -> list[TeamRow]:
        """Returns the teams that exist, in the order of `team_ids`."""
        batch = Batch()
        reads = [batch.add(TeamRow, keys.team(identifier)) for identifier in team_ids]
        if reads:
            batch.read()
        return [read.row for read in reads if read.row]

    def of_account(self, account_id: str, namespace_id: str) -> list[str]:
        """Returns the ids of an organization's teams that an account is in."""
        return [row.team_id for row in query(MembershipRow, keys.membership(account_id, namespace_id))]

    def members(self, team_id: str) -> list[MemberRow]:
        """Returns the members of a team."""
        return list(query(MemberRow, keys.team_member(team_id)))

    def member(self, team_id: str, account_id: str) -> MemberRow | None:
        """Returns a member of a team."""
        return get(MemberRow, keys.team_member(team_id, account_id))

    def add(self, transaction: Transaction, team: TeamRow) -> None:
        """Writes a new team if its name is free."""
        name = TeamNameRow.under(keys.team_name(team.namespace_id, team.name), team_id=team.id)
        transaction.put(name, absent())
        transaction.put(team, absent())

    def all_members(self, namespace_id: str) -> set[str]:
        """Returns the ids of the accounts in any team of an organization, with one query per team."""
        teams = query(TeamNameRow, keys.team_name(namespace_id))
        return {row.account_id for team in teams for row in self.members(team.team_id)}

    def remove(self, transaction: Transaction, team: TeamRow) -> None:
        """Removes a team if its role is as it was read. The purge removes its memberships, which no longer count."""
        transaction.delete(TeamNameRow.under(keys.team_name(team.namespace_id, team.name)))
        transaction.delete(TeamRow.under(team.key), TeamRow.role == team.role)

    def memberships(self, account_id: str) -> list[MembershipRow]:
        """Returns all memberships of an account."""
        return list(query(MembershipRow, keys.membership(account_id)))

    def end_membership(self, namespace_id: str, team_id: str, account_id: str) -> None:
        """Removes a membership of a deleted team or account. Does nothing if it does not exist."""
        transaction = Transaction()
        transaction.delete(MembershipRow.under(keys.membership(account_id, namespace_id, team_id)))
        transaction.delete(MemberRow.under(keys.team_member(team_id, account_id)))
        transaction.commit()

    def join(self, transaction: Transaction, team: TeamRow, account_id: str, name: str, kind: AccountKind) -> None:
        """Adds an account to a team if it is not a member."""
        membership = MembershipRow.under(
            keys.membership(account_id, team.namespace_id, team.id), namespace_id=team.namespace_id, team_id=team.id
        )
        member = MemberRow.under(keys.team_member(team.id, account_id), account_id=account_id, name=name, kind=kind)
        transaction.put(membership)
        transaction.put(member, absent())

    def require_unchanged(self, transaction: Transaction, team: TeamRow) -> None:
        """Makes a transaction fail if a team is deleted or its role changed since it was read."""
        transaction.check(TeamRow, team.key, TeamRow.role == team.role)

    def require_team(self, transaction: Transaction, team_id: str) -> None:
        """Makes a transaction fail if a team is deleted."""
        transaction.check(TeamRow, keys.team(team_id), TeamRow.pk.exists())

    def change(self, transaction: Transaction, team: TeamRow, role: TeamRole, description: str) -> None:
        """Writes role and description of a team if its role is as it was read."""
        actions = [TeamRow.role.set(role), TeamRow.description.set(description)]
        transaction.update(team, *actions, condition=TeamRow.role == team.role)

    def leave(self, transaction: Transaction, team: TeamRow, account_id: str) -> None:
        """Removes an account from a team if it is a member."""
        transaction.delete(MembershipRow.under(keys.membership(account_id, team.namespace_id, team.id)))
        transaction.delete(MemberRow.under(keys.team_member(team.id, account_id)), MemberRow.pk.exists())

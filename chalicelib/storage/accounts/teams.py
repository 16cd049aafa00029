"""Teams of organizations and who is in them, as they are kept."""

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
    """A team. Its role stands here alone, so that a change of it touches one item."""

    id = UnicodeAttribute()
    namespace_id = UnicodeAttribute()
    name = UnicodeAttribute()
    # What its members may do in all of the organization.
    role = EnumText(TeamRole)
    description = UnicodeAttribute(default="")
    created_at = Integer(default=0)


class MembershipRow(Row):
    """That an account is in a team, found by the account."""

    namespace_id = UnicodeAttribute()
    team_id = UnicodeAttribute()


class MemberRow(Row):
    """The same, found by the team; `name` and `kind` are the account's."""

    account_id = UnicodeAttribute()
    name = UnicodeAttribute()
    kind = EnumText(AccountKind)


class TeamStore:
    """Teams in the table."""

    def find(self, namespace_id: str, name: str) -> TeamRow | None:
        """A team of an organization by its name."""
        pointer = get(TeamNameRow, keys.team_name(namespace_id, name)) if name else None
        return get(TeamRow, keys.team(pointer.team_id)) if pointer else None

    def of_organization(self, namespace_id: str) -> list[TeamRow]:
        """All teams of an organization, by name."""
        return self.get_all([row.team_id for row in query(TeamNameRow, keys.team_name(namespace_id))])

    def get_all(self, team_ids: Sequence[str]) -> list[TeamRow]:
        """Teams by their ids, those that are there, in the same order."""
        batch = Batch()
        reads = [batch.add(TeamRow, keys.team(identifier)) for identifier in team_ids]
        if reads:
            batch.read()
        return [read.row for read in reads if read.row]

    def of_account(self, account_id: str, namespace_id: str) -> list[str]:
        """Ids of an organization's teams that an account is in."""
        return [row.team_id for row in query(MembershipRow, keys.membership(account_id, namespace_id))]

    def members(self, team_id: str) -> list[MemberRow]:
        """Who is in a team."""
        return list(query(MemberRow, keys.team_member(team_id)))

    def member(self, team_id: str, account_id: str) -> MemberRow | None:
        """One who is in a team."""
        return get(MemberRow, keys.team_member(team_id, account_id))

    def add(self, transaction: Transaction, team: TeamRow) -> None:
        """Writes a new team, on condition that its name is free."""
        name = TeamNameRow.under(keys.team_name(team.namespace_id, team.name), team_id=team.id)
        transaction.put(name, absent())
        transaction.put(team, absent())

    def everybody(self, namespace_id: str) -> set[str]:
        """Ids of the accounts that are in any team of an organization, by one query a team."""
        teams = query(TeamNameRow, keys.team_name(namespace_id))
        return {row.account_id for team in teams for row in self.members(team.team_id)}

    def remove(self, transaction: Transaction, team: TeamRow) -> None:
        """Removes a team, on condition that its role is as it was read.

        Who is in it no longer counts, and is removed behind.
        """
        transaction.delete(TeamNameRow.under(keys.team_name(team.namespace_id, team.name)))
        transaction.delete(TeamRow.under(team.key), TeamRow.role == team.role)

    def of_any(self, account_id: str) -> list[MembershipRow]:
        """All memberships of an account."""
        return list(query(MembershipRow, keys.membership(account_id)))

    def forget(self, namespace_id: str, team_id: str, account_id: str) -> None:
        """Removes what is left of a membership when team or account is gone; done again, it changes nothing."""
        transaction = Transaction()
        transaction.delete(MembershipRow.under(keys.membership(account_id, namespace_id, team_id)))
        transaction.delete(MemberRow.under(keys.team_member(team_id, account_id)))
        transaction.commit()

    def join(self, transaction: Transaction, team: TeamRow, account_id: str, name: str, kind: AccountKind) -> None:
        """Adds an account to a team, on condition that it is not in it."""
        membership = MembershipRow.under(
            keys.membership(account_id, team.namespace_id, team.id), namespace_id=team.namespace_id, team_id=team.id
        )
        member = MemberRow.under(keys.team_member(team.id, account_id), account_id=account_id, name=name, kind=kind)
        transaction.put(membership)
        transaction.put(member, absent())

    def still(self, transaction: Transaction, team: TeamRow) -> None:
        """Lets a transaction fail where a team is gone, or has another role than was read."""
        transaction.check(TeamRow, team.key, TeamRow.role == team.role)

    def exists(self, transaction: Transaction, team_id: str) -> None:
        """Lets a transaction fail where a team is gone."""
        transaction.check(TeamRow, keys.team(team_id), TeamRow.pk.exists())

    def change(self, transaction: Transaction, team: TeamRow, role: TeamRole, description: str) -> None:
        """Writes role and description of a team, on condition that its role is as it was read."""
        actions = [TeamRow.role.set(role), TeamRow.description.set(description)]
        transaction.update(team, *actions, condition=TeamRow.role == team.role)

    def leave(self, transaction: Transaction, team: TeamRow, account_id: str) -> None:
        """Takes an account out of a team, on condition that it is in it."""
        transaction.delete(MembershipRow.under(keys.membership(account_id, team.namespace_id, team.id)))
        transaction.delete(MemberRow.under(keys.team_member(team.id, account_id)), MemberRow.pk.exists())

"""Teams of organizations, and who is in them.

Whoever changes a team that administers an organization must administer it still afterwards. The namespace's version
counts such changes, so that two owners who remove each other are two versions, of which one loses.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chalicelib.domain.accounts import Kind
from chalicelib.domain.errors import AlreadyThere, FieldInvalid, LastOwner, NothingThere
from chalicelib.domain.ids import ulid
from chalicelib.domain.permissions import Actor, Role
from chalicelib.domain.teams import TeamRole, parse_team
from chalicelib.services.access import Access, Place, refusal
from chalicelib.services.usage import Usage
from chalicelib.storage import keys
from chalicelib.storage.accounts import AccountNameRow, AccountStore
from chalicelib.storage.permissions import TEAM, Holder, PermissionStore
from chalicelib.storage.repositories import RepositoryStore
from chalicelib.storage.table import LostRace, Transaction, until_won
from chalicelib.storage.teams import MemberRow, TeamRow, TeamStore


@dataclass(frozen=True, slots=True)
class Roster:
    """A team with who is in it, by name, and whether the actor may change that."""

    team: TeamRow
    members: Sequence[MemberRow]
    can_edit: bool


@dataclass(frozen=True, slots=True)
class Given:
    """A team's role on a repository. `repository` is its name without the namespace's."""

    repository: str
    is_public: bool
    role: Role


class Teams:
    """Teams."""

    def __init__(
        self,
        access: Access,
        usage: Usage,
        store: TeamStore,
        accounts: AccountStore,
        permissions: PermissionStore,
        repositories: RepositoryStore,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._access, self._usage, self._store, self._accounts = access, usage, store, accounts
        self._permissions, self._repositories, self._clock = permissions, repositories, clock

    def put(
        self, actor: Actor, organization: str, name: str, role: TeamRole, description: str | None
    ) -> tuple[TeamRow, bool]:
        """A team as it shall be, made where it is not there; whether it was made.

        Raises TeamInvalid, LastOwner, NothingThere, Unauthenticated, Denied.
        """
        place = self._access.administered(actor, organization)
        parse_team(name)

        def attempt() -> tuple[TeamRow, bool]:
            stored = self._store.find(place.id, name)
            if stored is None:
                return self._add(actor, place, name, role, description or ""), True
            return self._change(actor, place, stored, role, description), False

        return until_won(attempt)

    def _add(self, actor: Actor, place: Place, name: str, role: TeamRole, description: str) -> TeamRow:
        now = self._clock()
        identifier = ulid(now)
        team = TeamRow.under(
            keys.team(identifier),
            id=identifier,
            namespace_id=place.id,
            name=name,
            role=role.value,
            description=description,
            created_at=int(now),
        )
        transaction = Transaction()
        self._store.add(transaction, team)
        self._usage.note(actor, transaction, "org_create_team", place.id, {"team": name})
        transaction.commit()
        return team

    def _change(self, actor: Actor, place: Place, team: TeamRow, role: TeamRole, description: str | None) -> TeamRow:
        transaction, before = Transaction(), team.team_role
        if before is TeamRole.ADMIN and role is not TeamRole.ADMIN:
            why = (
                f"Cannot remove admin from team '{team.name}' because calling user would no longer have admin on"
                f" org '{place.name}'"
            )
            self._keep_owner(transaction, actor, place, why, without=team)
        if description is not None and description != team.description:
            team.description = description
            told = {"team": team.name, "description": description}
            self._usage.note(actor, transaction, "org_set_team_description", place.id, told)
        if role is not before:
            team.role = role.value
            told = {"team": team.name, "role": role.value}
            self._usage.note(actor, transaction, "org_set_team_role", place.id, told)
        self._store.change(transaction, team)
        transaction.commit()
        return team

    def remove(self, actor: Actor, organization: str, name: str) -> None:
        """Removes a team: its members have none of its rights from then on.

        Raises FieldInvalid, LastOwner, NothingThere, Unauthenticated, Denied.
        """
        place = self._access.administered(actor, organization)

        def attempt() -> TeamRow:
            team = self._store.find(place.id, name)
            if team is None:
                raise FieldInvalid("", f"Team '{name[:80]}' is not a team in org '{place.name}'")
            transaction = Transaction()
            if team.team_role is TeamRole.ADMIN:
                why = (
                    f"Deleting team '{name}' would remove admin ability for user '{actor.name}' in organization"
                    f" '{place.name}'"
                )
                self._keep_owner(transaction, actor, place, why, without=team)
            self._store.remove(transaction, team)
            self._usage.note(actor, transaction, "org_delete_team", place.id, {"team": name})
            transaction.commit()
            return team

        self._sweep(until_won(attempt))

    def _sweep(self, team: TeamRow) -> None:
        """Removes what counts no longer, now that the team is gone."""
        for member in self._store.members(team.id):
            self._store.forget(team.namespace_id, team.id, member.account_id)
        holder = Holder(team.id, team.name, TEAM)
        for namespace_id, repository_id, _ in self._permissions.held(holder):
            self._permissions.forget((namespace_id, repository_id), holder)

    def _keep_owner(
        self, transaction: Transaction, actor: Actor, place: Place, why: str, *, without: TeamRow, leaving: str = ""
    ) -> None:
        """Makes sure that whoever acts administers the organization still, and that somebody does.

        `leaving` is the account that leaves `without`, else that team administers no longer. Raises LastOwner.
        """
        namespace = self._accounts.namespace(place.id)
        if namespace is None or namespace.state != "live":
            raise NothingThere("organization", place.name)
        owners: set[str] = set()
        for team in self._store.of_organization(place.id):
            if team.team_role is TeamRole.ADMIN and (team.id != without.id or leaving):
                found = {row.account_id for row in self._store.members(team.id) if row.kind == Kind.USER.value}
                owners |= found - {leaving} if team.id == without.id else found
        acts_as_owner = any(team.team_role is TeamRole.ADMIN for team in place.teams)
        if not owners or (acts_as_owner and actor.account_id not in owners):
            raise LastOwner(why)
        self._accounts.put_namespace(transaction, namespace)

    def roster(self, actor: Actor, organization: str, name: str) -> Roster:
        """Who is in a team, for its members and for those who administer it. Raises NothingThere, Denied."""
        place = self._access.member_of(actor, organization)
        team = self._store.find(place.id, name)
        is_in_it = team is not None and any(held.id == team.id for held in place.teams)
        if not place.is_admin and not is_in_it:
            raise refusal(actor, name, "read")
        if team is None:
            raise NothingThere("team", name)
        return Roster(team, sorted(self._store.members(team.id), key=lambda row: row.name), place.is_admin)

    def add_member(self, actor: Actor, organization: str, name: str, member: str) -> MemberRow:
        """Takes a user, or a robot of the organization, into a team.

        Raises FieldInvalid for somebody unknown, AlreadyThere, NothingThere, Unauthenticated, Denied.
        """

        def attempt() -> MemberRow:
            place, team = self._team(actor, organization, name)
            pointer = self._member(place, member)
            transaction = Transaction()
            self._store.join(transaction, team, pointer.id, member, pointer.kind)
            self._store.still(transaction, team)
            if team.team_role is TeamRole.ADMIN:
                self._count(transaction, place)
            self._usage.note(actor, transaction, "org_add_team_member", place.id, {"member": member, "team": name})
            try:
                transaction.commit()
            except LostRace:
                if any(row.account_id == pointer.id for row in self._store.members(team.id)):
                    raise AlreadyThere(f"User {member} is already a member of team {name}") from None
                raise
            key = keys.team_member(team.id, pointer.id)
            return MemberRow.under(key, account_id=pointer.id, name=member, kind=pointer.kind)

        return until_won(attempt)

    def _team(self, actor: Actor, organization: str, name: str) -> tuple[Place, TeamRow]:
        place = self._access.administered(actor, organization)
        team = self._store.find(place.id, name)
        if team is None:
            raise NothingThere("team", name)
        return place, team

    def _member(self, place: Place, name: str) -> AccountNameRow:
        """Who may be in a team: any user, and the organization's own robots. Raises FieldInvalid."""
        pointer = self._accounts.find(name)
        is_foreign = "+" in name and name.partition("+")[0] != place.name
        if pointer is None or pointer.kind == Kind.ORGANIZATION.value or is_foreign:
            raise FieldInvalid("", "Unknown user")
        return pointer

    def _count(self, transaction: Transaction, place: Place) -> None:
        namespace = self._accounts.namespace(place.id)
        if namespace is None:
            raise NothingThere("organization", place.name)
        self._accounts.put_namespace(transaction, namespace)

    def remove_member(self, actor: Actor, organization: str, name: str, member: str) -> None:
        """Takes somebody out of a team. Raises FieldInvalid, LastOwner, NothingThere, Unauthenticated, Denied."""
        place, team = self._team(actor, organization, name)
        pointer = self._accounts.find(member)
        if pointer is None:
            raise FieldInvalid("", "Unknown user")
        until_won(lambda: self._leave(actor, place, team, (pointer.id, member)))

    def _leave(self, actor: Actor, place: Place, team: TeamRow, who: tuple[str, str]) -> None:
        account_id, name = who
        if not any(row.account_id == account_id for row in self._store.members(team.id)):
            raise FieldInvalid("", f"User {name} does not belong to team {team.name}")
        transaction = Transaction()
        if team.team_role is TeamRole.ADMIN:
            why = "User cannot remove themselves from their only admin team."
            self._keep_owner(transaction, actor, place, why, without=team, leaving=account_id)
        self._store.leave(transaction, team, account_id)
        told = {"member": name, "team": team.name}
        self._usage.note(actor, transaction, "org_remove_team_member", place.id, told)
        transaction.commit()

    def leave_all(self, actor: Actor, organization: str, member: str) -> None:
        """Takes somebody out of all teams of an organization. Raises LastOwner, NothingThere, Denied."""
        place = self._access.administered(actor, organization)
        pointer = self._accounts.find(member)
        if pointer is None or pointer.kind != Kind.USER.value:
            raise NothingThere("member", member)
        for team in self._store.get_all(self._store.of_account(pointer.id, place.id)):
            until_won(lambda team=team: self._leave(actor, place, team, (pointer.id, member)))  # type: ignore[misc]

    def permissions(self, actor: Actor, organization: str, name: str) -> list[Given]:
        """What a team was given on repositories. Raises NothingThere, Unauthenticated, Denied."""
        _, team = self._team(actor, organization, name)
        held = {where: role for _, where, role in self._permissions.held(Holder(team.id, team.name, TEAM))}
        rows = self._repositories.get_all(list(held))
        found = [Given(row.name, row.visibility == "public", Role(held[key])) for key, row in rows.items()]
        return sorted(found, key=lambda one: one.repository)

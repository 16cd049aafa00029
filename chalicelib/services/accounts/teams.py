"""Teams of organizations, and who is in them.

Whoever changes a team that administers an organization must administer it still afterwards. The namespace's version
counts such changes, and who administers it is read after that version: of two owners who remove each other one loses.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.errors import AlreadyThere, FieldInvalid, LastOwner, ResourceUnknown
from chalicelib.domain.ids import ulid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, HolderKind, Role
from chalicelib.domain.repositories import Repository
from chalicelib.domain.states import NamespaceState
from chalicelib.domain.teams import OWNERS, TeamRole, parse_team
from chalicelib.domain.timers import PURGE
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.security.access import Access, NamespaceAccess, refusal
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountNameRow
from chalicelib.storage.accounts.permissions import RoleHolder
from chalicelib.storage.accounts.teams import TeamRow
from chalicelib.storage.registry.repositories import RepositoryRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, retry_on_conflict
from chalicelib.storage.timers import timer

# How many teams and roles one transaction takes back, of which each is four items of a hundred.
AT_ONCE = 20
# Members of an administering team as they will be, from the team and its members as they are.
Change = Callable[[TeamRow, set[str]], set[str]]


@dataclass(frozen=True, slots=True)
class TeamView:
    """A team with how many repositories it has a role on and how many members, where the actor may know that."""

    team: TeamRow
    can_view: bool = True
    repositories: int = 0
    members: int = 0


@dataclass(frozen=True, slots=True)
class TeamMember:
    """Somebody in a team."""

    name: str
    kind: AccountKind

    @property
    def is_robot(self) -> bool:
        """Whether it is a robot."""
        return self.kind == AccountKind.ROBOT


@dataclass(frozen=True, slots=True)
class Roster:
    """A team with who is in it, by name, and whether the actor may change that."""

    team: TeamRow
    members: Sequence[TeamMember]
    can_edit: bool


@dataclass(frozen=True, slots=True)
class TeamRepositoryRole:
    """A team's role on a repository. `repository` is its name without the namespace's."""

    repository: str
    is_public: bool
    role: Role


class Teams:
    """Teams."""

    def __init__(self, access: Access, usage: UsageLog, stores: Stores) -> None:
        self._access, self._usage, self._store, self._accounts = access, usage, stores.teams, stores.accounts
        self._permissions, self._repositories, self._clock = stores.permissions, stores.repositories, stores.clock

    def put(
        self, actor: Actor, organization: str, name: str, role: TeamRole, description: str | None
    ) -> tuple[TeamView, bool]:
        """A team as it shall be, made where it is not there; whether it was made.

        Raises TeamInvalid, LastOwner, NothingThere, Unauthenticated, Denied.
        """

        def attempt() -> tuple[TeamView, bool]:
            place = self._access.administered(actor, organization)
            stored = self._store.find(place.id, parse_team(name))
            if stored is None:
                return TeamView(self._add(actor, place, name, role, description or "")), True
            self._change(actor, place, stored, role, stored.description if description is None else description)
            return TeamView(stored), False

        return retry_on_conflict(attempt)

    def _add(self, actor: Actor, place: NamespaceAccess, name: str, role: TeamRole, description: str) -> TeamRow:
        now = self._clock()
        identifier = ulid(now)
        team = TeamRow.under(
            keys.team(identifier),
            id=identifier,
            namespace_id=place.id,
            name=name,
            role=role,
            description=description,
            created_at=int(now),
        )
        transaction = Transaction()
        self._store.add(transaction, team)
        self._accounts.require_live_namespace(transaction, place.id)
        self._usage.note(actor, transaction, "org_create_team", place.id, {"team": name, "namespace": place.name})
        transaction.commit()
        return team

    def _change(self, actor: Actor, place: NamespaceAccess, team: TeamRow, role: TeamRole, description: str) -> None:
        transaction, before = Transaction(), team.role
        if TeamRole.ADMIN in (before, role) and role is not before:
            why = (
                f"Cannot remove admin from team '{team.name}' because calling user would no longer have admin on"
                f" org '{place.name}'"
            )
            self._guard(transaction, actor, place, lambda one, members: set() if one.id == team.id else members, why)
        told = {"team": team.name, "namespace": place.name}
        if description != team.description:
            described = {**told, "description": description}
            self._usage.note(actor, transaction, "org_set_team_description", place.id, described)
        if role is not before:
            given = {**told, "role": role}
            self._usage.note(actor, transaction, "org_set_team_role", place.id, given)
        self._store.change(transaction, team, role, description)
        transaction.commit()
        team.role, team.description = role, description

    def remove(self, actor: Actor, organization: str, name: str) -> None:
        """Removes a team: its members have none of its rights from then on. What it leaves is removed behind.

        Raises FieldInvalid, LastOwner, NothingThere, Unauthenticated, Denied.
        """

        def attempt() -> None:
            place = self._access.administered(actor, organization)
            team = self._store.find(place.id, name)
            if team is None:
                raise FieldInvalid("", f"Team '{name[:80]}' is not a team in org '{place.name}'")
            transaction = Transaction()
            if team.role is TeamRole.ADMIN:
                why = (
                    f"Deleting team '{name}' would remove admin ability for user '{actor.name}' in organization"
                    f" '{place.name}'"
                )
                self._guard(
                    transaction, actor, place, lambda one, members: set() if one.id == team.id else members, why
                )
            self._store.remove(transaction, team)
            transaction.put(timer(PURGE, keys.team_target(place.id, team.id), int(self._clock())))
            told = {"team": name, "namespace": place.name}
            self._usage.note(actor, transaction, "org_delete_team", place.id, told)
            transaction.commit()

        retry_on_conflict(attempt)

    def _guard(self, transaction: Transaction, actor: Actor, place: NamespaceAccess, change: Change, why: str) -> None:
        """Lets a change of who administers an organization happen only over what is read here.

        The namespace's version comes first: whoever takes the actor's right away after it wins. Raises Denied when that
        has happened, LastOwner when by this change the actor, or everybody, would administer it no longer.
        """
        namespace = self._accounts.namespace(place.id)
        if namespace is None or namespace.state != NamespaceState.LIVE:
            raise ResourceUnknown("organization", place.name)
        before: set[str] = set()
        after: set[str] = set()
        for team in self._store.of_organization(place.id):
            if team.role is TeamRole.ADMIN:
                found = {row.account_id for row in self._store.members(team.id) if row.kind == AccountKind.USER}
                before, after = before | found, after | change(team, found)
        acts_as_owner = any(team.role is TeamRole.ADMIN for team in place.teams)
        if acts_as_owner and actor.account_id not in before:
            raise refusal(actor, place.name, "administer")
        if before - after:
            owners = {row.id for row in self._accounts.get_all(sorted(after)).values() if row.enabled}
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
            raise ResourceUnknown("team", name)
        members = [TeamMember(row.name, row.kind) for row in self._store.members(team.id)]
        return Roster(team, sorted(members, key=lambda one: one.name), place.is_admin)

    def add_member(self, actor: Actor, organization: str, name: str, member: str) -> TeamMember:
        """Takes a user, or a robot of the organization, into a team.

        Raises FieldInvalid for somebody unknown, AlreadyThere, NothingThere, Unauthenticated, Denied.
        """

        def attempt() -> TeamMember:
            place, team = self._team(actor, organization, name)
            pointer = self._member(place, member)
            if self._store.member(team.id, pointer.id) is not None:
                raise AlreadyThere(f"User {member} is already a member of team {name}")
            transaction = Transaction()
            self._store.join(transaction, team, pointer.id, member, pointer.kind)
            self._store.require_unchanged(transaction, team)
            self._accounts.require_account(transaction, pointer.id)
            if team.role is TeamRole.ADMIN:
                self._guard(transaction, actor, place, lambda _, members: members, "")
            else:
                self._accounts.require_live_namespace(transaction, place.id)
            told = {"member": member, "team": name, "namespace": place.name}
            self._usage.note(actor, transaction, "org_add_team_member", place.id, told)
            transaction.commit()
            return TeamMember(member, pointer.kind)

        return retry_on_conflict(attempt)

    def _team(self, actor: Actor, organization: str, name: str) -> tuple[NamespaceAccess, TeamRow]:
        place = self._access.administered(actor, organization)
        team = self._store.find(place.id, name)
        if team is None:
            raise ResourceUnknown("team", name)
        return place, team

    def _member(self, place: NamespaceAccess, name: str) -> AccountNameRow:
        """Who may be in a team: any user, and the organization's own robots. Raises FieldInvalid."""
        pointer = self._accounts.find(name)
        if pointer is None or pointer.kind == AccountKind.ORGANIZATION:
            raise FieldInvalid("", "Unknown user")
        if pointer.kind == AccountKind.ROBOT and name.partition("+")[0] != place.name:
            why = "Cannot add the specified robot to this team, as it is not a member of the organization"
            raise FieldInvalid("", why)
        return pointer

    def remove_member(self, actor: Actor, organization: str, name: str, member: str) -> None:
        """Takes somebody out of a team. Raises FieldInvalid, LastOwner, NothingThere, Unauthenticated, Denied."""

        def attempt() -> None:
            place, team = self._team(actor, organization, name)
            pointer = self._accounts.find(member)
            if pointer is None:
                raise FieldInvalid("", "Unknown user")
            if self._store.member(team.id, pointer.id) is None:
                raise FieldInvalid("", f"User {member} does not belong to team {name}")
            transaction = Transaction()
            self._leave(transaction, actor, place, [team], (pointer.id, member))
            transaction.commit()

        retry_on_conflict(attempt)

    def _leave(
        self,
        transaction: Transaction,
        actor: Actor,
        place: NamespaceAccess,
        teams: Collection[TeamRow],
        who: tuple[str, str],
    ) -> None:
        """Adds to a transaction that somebody, told by id and name, leaves teams that they are in."""
        account_id, name = who
        left = {team.id for team in teams}
        if any(team.role is TeamRole.ADMIN for team in teams):
            why = "User cannot remove themselves from their only admin team."
            self._guard(
                transaction, actor, place, lambda one, found: found - {account_id} if one.id in left else found, why
            )
        for team in teams:
            self._store.leave(transaction, team, account_id)
            self._store.require_unchanged(transaction, team)
            told = {"member": name, "team": team.name, "namespace": place.name}
            self._usage.note(actor, transaction, "org_remove_team_member", place.id, told)

    def leave_all(self, actor: Actor, organization: str, member: str) -> None:
        """Takes a user out of all teams of an organization, and takes back their roles on its repositories.

        One who has none of them stays so. Raises LastOwner, NothingThere, Unauthenticated, Denied.
        """

        def attempt() -> bool:
            place = self._access.administered(actor, organization)
            pointer = self._accounts.find(member)
            if pointer is None or pointer.kind != AccountKind.USER:
                raise ResourceUnknown("member", member)
            return self._leave_some(actor, place, pointer.id, member)

        while retry_on_conflict(attempt):
            pass

    def _leave_some(self, actor: Actor, place: NamespaceAccess, account_id: str, name: str) -> bool:
        """Takes back as much as fits one transaction, teams first; whether there may be more."""
        teams = self._store.get_all(self._store.of_account(account_id, place.id)[:AT_ONCE])
        holder = RoleHolder(account_id, name, HolderKind.USER)
        held = [where for _, where, _ in self._permissions.roles_of(holder, place.id)][: AT_ONCE - len(teams)]
        if not teams and not held:
            return False
        transaction = Transaction()
        if teams:
            self._leave(transaction, actor, place, teams, (account_id, name))
        rows = self._repositories.get_all(held)
        for identifier in held:
            self._permissions.discard_role(transaction, (place.id, identifier), holder)
            if row := rows.get(identifier):
                repository = Repository(identifier, place.id, RepositoryName(place.name, row.name))
                told = {"username": name, "namespace": place.name, "repo": row.name}
                self._usage.record(actor, transaction, "delete_repo_permission", repository, told)
        transaction.commit()
        return len(teams) + len(held) >= AT_ONCE

    def take(self, actor: Actor, organization: str) -> None:
        """Lets a superuser who has every right on everything into the owners of an organization.

        Raises NothingThere, FieldInvalid for a user's namespace, Unauthenticated, Denied.
        """
        account_id = self._access.superuser(actor)
        if not self._access.has_all(actor):
            raise refusal(actor, organization, "take over")

        def attempt() -> None:
            place = self._access.place(actor, organization)
            if place is None:
                raise ResourceUnknown("namespace", organization)
            if not place.is_organization:
                raise FieldInvalid("namespace", "a user's namespace is taken over by nobody")
            owning = [team for team in self._store.of_organization(place.id) if team.role is TeamRole.ADMIN]
            if any(self._store.member(team.id, account_id) for team in owning):
                return
            team = min(owning, key=lambda one: (one.name != OWNERS, one.id))
            transaction = Transaction()
            self._store.join(transaction, team, account_id, actor.name, AccountKind(actor.kind))
            self._store.require_unchanged(transaction, team)
            self._guard(transaction, actor, place, lambda _, members: members, "")
            told = {"namespace": place.name, "superuser": actor.name, "was_user": False, "team": team.name}
            self._usage.note(actor, transaction, "take_ownership", place.id, told)
            transaction.commit()

        retry_on_conflict(attempt)

    def permissions(self, actor: Actor, organization: str, name: str) -> list[TeamRepositoryRole]:
        """What a team was given on repositories, by their names. Raises NothingThere, Unauthenticated, Denied."""
        _, team = self._team(actor, organization, name)
        held = {
            where: role
            for _, where, role in self._permissions.roles_of(RoleHolder(team.id, team.name, HolderKind.TEAM))
        }
        found = [_given(row, held[key]) for key, row in self._repositories.get_all(list(held)).items() if row.is_live]
        return sorted(found, key=lambda one: one.repository)


def _given(row: RepositoryRow, role: Role) -> TeamRepositoryRole:
    return TeamRepositoryRole(row.name, row.is_public, role)

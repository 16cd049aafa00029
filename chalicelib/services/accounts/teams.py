"""Manages the teams of organizations and their members.

Whoever changes an admin team must still administer the organization afterwards. The version of the namespace counts
such changes, and its admins are read after that version: if two owners remove each other, one of the two changes fails.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.errors import AlreadyMember, DataInvalid, FieldInvalid, LastOwner, ResourceUnknown
from chalicelib.domain.ids import ulid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, HolderKind, Role
from chalicelib.domain.repositories import Repository
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

# How many teams and roles one transaction removes; each is four of its hundred items.
AT_ONCE = 20
# Returns the members of an admin team after a change, given the team and its members before.
Change = Callable[[TeamRow, set[str]], set[str]]


@dataclass(frozen=True, slots=True)
class TeamView:
    """A team; the numbers of repositories it has a role on and of members are 0 unless the actor may see them."""

    team: TeamRow
    can_view: bool = True
    repositories: int = 0
    members: int = 0


@dataclass(frozen=True, slots=True)
class TeamMember:
    """A member of a team."""

    name: str
    kind: AccountKind

    @property
    def is_robot(self) -> bool:
        """Whether the member is a robot."""
        return self.kind == AccountKind.ROBOT


@dataclass(frozen=True, slots=True)
class Roster:
    """A team with its members by name, and whether the actor may change them."""

    team: TeamRow
    members: Sequence[TeamMember]
    can_edit: bool


@dataclass(frozen=True, slots=True)
class TeamRepositoryRole:
    """A team's role on a repository. `repository` is the repository's name without its namespace."""

    repository: str
    is_public: bool
    role: Role


class Teams:
    """Manages teams, their members and what they may do."""

    def __init__(self, access: Access, usage_log: UsageLog, stores: Stores) -> None:
        self._access, self._usage_log, self._store, self._accounts = access, usage_log, stores.teams, stores.accounts
        self._permissions, self._repositories, self._clock = stores.permissions, stores.repositories, stores.clock

    def put(
        self, actor: Actor, organization: str, name: str, role: TeamRole, description: str | None
    ) -> tuple[TeamView, bool]:
        """Creates or changes a team; returns it and whether it was created. A description of None leaves it as it is.

        Raises TeamInvalid, LastOwner, ResourceUnknown, Unauthenticated, Denied.
        """

        def attempt() -> tuple[TeamView, bool]:
            access = self._access.administered(actor, organization)
            stored = self._store.find(access.id, parse_team(name))
            if stored is None:
                return TeamView(self._add(actor, access, name, role, description or "")), True
            self._change(actor, access, stored, role, stored.description if description is None else description)
            return TeamView(stored), False

        return retry_on_conflict(attempt)

    def _add(self, actor: Actor, access: NamespaceAccess, name: str, role: TeamRole, description: str) -> TeamRow:
        now = self._clock()
        identifier = ulid(now)
        team = TeamRow.under(
            keys.team(identifier),
            id=identifier,
            namespace_id=access.id,
            name=name,
            role=role,
            description=description,
            created_at=int(now),
        )
        transaction = Transaction()
        self._store.add(transaction, team)
        self._accounts.require_live_namespace(transaction, access.id)
        self._usage_log.record_for_namespace(
            actor, transaction, "org_create_team", access.id, {"team": name, "namespace": access.name}
        )
        transaction.commit()
        return team

    def _change(self, actor: Actor, access: NamespaceAccess, team: TeamRow, role: TeamRole, description: str) -> None:
        transaction, before = Transaction(), team.role
        if TeamRole.ADMIN in (before, role) and role is not before:
            why = (
                f"Cannot remove admin from team '{team.name}' because calling user would no longer have admin on"
                f" org '{access.name}'"
            )
            self._guard(transaction, actor, access, lambda one, members: set() if one.id == team.id else members, why)
        metadata = {"team": team.name, "namespace": access.name}
        if description != team.description:
            changed = {**metadata, "description": description}
            self._usage_log.record_for_namespace(actor, transaction, "org_set_team_description", access.id, changed)
        if role is not before:
            changed = {**metadata, "role": role}
            self._usage_log.record_for_namespace(actor, transaction, "org_set_team_role", access.id, changed)
        self._store.change(transaction, team, role, description)
        transaction.commit()
        team.role, team.description = role, description

    def remove(self, actor: Actor, organization: str, name: str) -> None:
        """Removes a team; its members lose its rights at once. A timer removes its rows afterwards.

        Raises FieldInvalid, LastOwner, ResourceUnknown, Unauthenticated, Denied.
        """

        def attempt() -> None:
            access = self._access.administered(actor, organization)
            team = self._store.find(access.id, name)
            if team is None:
                raise DataInvalid("", f"Team '{name[:80]}' is not a team in org '{access.name}'")
            transaction = Transaction()
            if team.role is TeamRole.ADMIN:
                why = (
                    f"Deleting team '{name}' would remove admin ability for user '{actor.name}' in organization"
                    f" '{access.name}'"
                )
                self._guard(
                    transaction, actor, access, lambda one, members: set() if one.id == team.id else members, why
                )
            self._store.remove(transaction, team)
            transaction.put(timer(PURGE, keys.team_target(access.id, team.id), int(self._clock())))
            metadata = {"team": name, "namespace": access.name}
            self._usage_log.record_for_namespace(actor, transaction, "org_delete_team", access.id, metadata)
            transaction.commit()

        retry_on_conflict(attempt)

    def _guard(self, transaction: Transaction, actor: Actor, access: NamespaceAccess, change: Change, why: str) -> None:
        """Makes a change of an organization's admins depend on the rows that are read here.

        The namespace's version is read first, so that a later removal of the actor's right wins. Raises Denied if that
        has happened, and LastOwner if this change would leave the actor, or the organization, without an admin right.
        """
        namespace = self._access.live_namespace(access)
        before: set[str] = set()
        after: set[str] = set()
        for team in self._store.of_organization(access.id):
            if team.role is TeamRole.ADMIN:
                members = {row.account_id for row in self._store.members(team.id) if row.kind == AccountKind.USER}
                before, after = before | members, after | change(team, members)
        acts_as_owner = any(team.role is TeamRole.ADMIN for team in access.teams)
        if acts_as_owner and actor.account_id not in before:
            raise refusal(actor, access.name, "administer")
        if before - after:
            owners = {row.id for row in self._accounts.get_all(sorted(after)).values() if row.enabled}
            if not owners or (acts_as_owner and actor.account_id not in owners):
                raise LastOwner(why)
        self._accounts.put_namespace(transaction, namespace)

    def roster(self, actor: Actor, organization: str, name: str) -> Roster:
        """Returns the members of a team, for its members and for admins of the organization.

        Raises ResourceUnknown, Denied.
        """
        access = self._access.member_of(actor, organization)
        team = self._store.find(access.id, name)
        is_member = team is not None and any(own.id == team.id for own in access.teams)
        if not access.is_admin and not is_member:
            raise refusal(actor, name, "read")
        if team is None:
            raise ResourceUnknown("team", name)
        members = [TeamMember(row.name, row.kind) for row in self._store.members(team.id)]
        return Roster(team, sorted(members, key=lambda one: one.name), access.is_admin)

    def add_member(self, actor: Actor, organization: str, name: str, member: str) -> TeamMember:
        """Adds a user, or a robot of the organization, to a team.

        Raises FieldInvalid for an unknown account, AlreadyMember, ResourceUnknown, Unauthenticated, Denied.
        """

        def attempt() -> TeamMember:
            access, team = self._team(actor, organization, name)
            pointer = self._member(access, member)
            if self._store.member(team.id, pointer.id) is not None:
                raise AlreadyMember(member, name)
            transaction = Transaction()
            self._store.join(transaction, team, pointer.id, member, pointer.kind)
            self._store.require_unchanged(transaction, team)
            self._accounts.require_account(transaction, pointer.id)
            if team.role is TeamRole.ADMIN:
                self._guard(transaction, actor, access, lambda _, members: members, "")
            else:
                self._accounts.require_live_namespace(transaction, access.id)
            metadata = {"member": member, "team": name, "namespace": access.name}
            self._usage_log.record_for_namespace(actor, transaction, "org_add_team_member", access.id, metadata)
            transaction.commit()
            return TeamMember(member, pointer.kind)

        return retry_on_conflict(attempt)

    def _team(self, actor: Actor, organization: str, name: str) -> tuple[NamespaceAccess, TeamRow]:
        access = self._access.administered(actor, organization)
        team = self._store.find(access.id, name)
        if team is None:
            raise ResourceUnknown("team", name)
        return access, team

    def _member(self, access: NamespaceAccess, name: str) -> AccountNameRow:
        """Returns an account that may be in a team: a user or one of the organization's robots. Raises FieldInvalid."""
        pointer = self._accounts.find(name)
        if pointer is None or pointer.kind == AccountKind.ORGANIZATION:
            raise FieldInvalid("", "Unknown user")
        if pointer.kind == AccountKind.ROBOT and name.partition("+")[0] != access.name:
            why = "Cannot add the specified robot to this team, as it is not a member of the organization"
            raise FieldInvalid("", why)
        return pointer

    def remove_member(self, actor: Actor, organization: str, name: str, member: str) -> None:
        """Removes a member from a team. Raises FieldInvalid, LastOwner, ResourceUnknown, Unauthenticated, Denied."""

        def attempt() -> None:
            access, team = self._team(actor, organization, name)
            pointer = self._accounts.find(member)
            if pointer is None:
                raise ResourceUnknown("member", member)
            if self._store.member(team.id, pointer.id) is None:
                raise DataInvalid("", f"User {member} does not belong to team {name}")
            transaction = Transaction()
            self._leave(transaction, actor, access, [team], (pointer.id, member))
            transaction.commit()

        retry_on_conflict(attempt)

    def _leave(
        self,
        transaction: Transaction,
        actor: Actor,
        access: NamespaceAccess,
        teams: Collection[TeamRow],
        member: tuple[str, str],
    ) -> None:
        """Adds to a transaction that an account leaves teams it is in; `member` is its id and name."""
        account_id, name = member
        left = {team.id for team in teams}
        if any(team.role is TeamRole.ADMIN for team in teams):
            why = "User cannot remove themselves from their only admin team."
            self._guard(
                transaction,
                actor,
                access,
                lambda one, members: members - {account_id} if one.id in left else members,
                why,
            )
        for team in teams:
            self._store.leave(transaction, team, account_id)
            self._store.require_unchanged(transaction, team)
            metadata = {"member": name, "team": team.name, "namespace": access.name}
            self._usage_log.record_for_namespace(actor, transaction, "org_remove_team_member", access.id, metadata)

    def leave_all(self, actor: Actor, organization: str, member: str) -> None:
        """Removes a user from all teams of an organization, and their roles on its repositories.

        It does nothing for a user who has none. Raises LastOwner, ResourceUnknown, Unauthenticated, Denied.
        """

        def attempt() -> bool:
            access = self._access.administered(actor, organization)
            pointer = self._accounts.find(member)
            if pointer is None or pointer.kind != AccountKind.USER:
                raise ResourceUnknown("member", member)
            return self._leave_some(actor, access, pointer.id, member)

        while retry_on_conflict(attempt):
            pass

    def _leave_some(self, actor: Actor, access: NamespaceAccess, account_id: str, name: str) -> bool:
        """Removes as much as fits one transaction, teams first; returns whether there may be more."""
        teams = self._store.get_all(self._store.of_account(account_id, access.id)[:AT_ONCE])
        holder = RoleHolder(account_id, name, HolderKind.USER)
        repository_ids = [where for _, where, _ in self._permissions.roles_of(holder, access.id)][
            : AT_ONCE - len(teams)
        ]
        if not teams and not repository_ids:
            return False
        transaction = Transaction()
        if teams:
            self._leave(transaction, actor, access, teams, (account_id, name))
        rows = self._repositories.get_all(repository_ids)
        for identifier in repository_ids:
            self._permissions.discard_role(transaction, (access.id, identifier), holder)
            if row := rows.get(identifier):
                repository = Repository(identifier, access.id, RepositoryName(access.name, row.name))
                metadata = {"username": name, "namespace": access.name, "repo": row.name}
                self._usage_log.record_for_repository(
                    actor, transaction, "delete_repo_permission", repository, metadata
                )
        transaction.commit()
        return len(teams) + len(repository_ids) >= AT_ONCE

    def take(self, actor: Actor, organization: str) -> None:
        """Adds a superuser with full access to the owners of an organization.

        Raises ResourceUnknown, FieldInvalid for a user's namespace, Unauthenticated, Denied.
        """
        account_id = self._access.superuser(actor)
        if not self._access.has_all(actor):
            raise refusal(actor, organization, "take over")

        def attempt() -> None:
            access = self._access.namespace_access(actor, organization)
            if access is None:
                raise ResourceUnknown("namespace", organization)
            if not access.is_organization:
                raise FieldInvalid("namespace", "the namespace of a user cannot be taken over")
            owning = [team for team in self._store.of_organization(access.id) if team.role is TeamRole.ADMIN]
            if any(self._store.member(team.id, account_id) for team in owning):
                return
            team = min(owning, key=lambda one: (one.name != OWNERS, one.id))
            transaction = Transaction()
            self._store.join(transaction, team, account_id, actor.name, AccountKind(actor.kind))
            self._store.require_unchanged(transaction, team)
            self._guard(transaction, actor, access, lambda _, members: members, "")
            metadata = {"namespace": access.name, "superuser": actor.name, "was_user": False, "team": team.name}
            self._usage_log.record_for_namespace(actor, transaction, "take_ownership", access.id, metadata)
            transaction.commit()

        retry_on_conflict(attempt)

    def permissions(self, actor: Actor, organization: str, name: str) -> list[TeamRepositoryRole]:
        """Returns a team's roles on repositories, by repository name.

        Raises ResourceUnknown, Unauthenticated, Denied.
        """
        _, team = self._team(actor, organization, name)
        roles = {
            where: role
            for _, where, role in self._permissions.roles_of(RoleHolder(team.id, team.name, HolderKind.TEAM))
        }
        team_roles = [
            _team_role(row, roles[key]) for key, row in self._repositories.get_all(list(roles)).items() if row.is_live
        ]
        return sorted(team_roles, key=lambda one: one.repository)


def _team_role(row: RepositoryRow, role: Role) -> TeamRepositoryRole:
    return TeamRepositoryRole(row.name, row.is_public, role)

"""Roles of users, robots and teams on one repository: given, changed, taken back, and told."""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.errors import FieldInvalid, NotGiven, ResourceUnknown
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, HolderKind, Role
from chalicelib.domain.repositories import Repository
from chalicelib.domain.teams import TeamRole
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.security.access import Access, RepositoryAccess
from chalicelib.storage import keys
from chalicelib.storage.accounts.permissions import RoleHolder
from chalicelib.storage.registry.repositories import PermissionRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, get, retry_on_conflict


@dataclass(frozen=True, slots=True)
class Permission:
    """A holder's role on a repository. `is_member` is whether a user is in a team of its organization."""

    name: str
    kind: HolderKind
    role: Role
    is_member: bool | None = None

    @property
    def is_robot(self) -> bool:
        """Whether a robot holds it."""
        return self.kind == HolderKind.ROBOT


class Permissions:
    """Roles on repositories. `kind` is `user`, for robots too, or `team`."""

    def __init__(self, access: Access, usage: UsageLog, stores: Stores) -> None:
        self._access, self._usage, self._store = access, usage, stores.permissions
        self._accounts, self._teams = stores.accounts, stores.teams

    def of_repository(self, actor: Actor, name: RepositoryName, kind: HolderKind) -> list[Permission]:
        """All roles that were given on a repository, by name. Raises Unauthenticated, Denied, NameUnknown."""
        repository_access = self._access.require_role(actor, name, Role.ADMIN)
        found = self._alive(repository_access, kind, self._store.of_repository(repository_access.repository.id))
        return sorted(found, key=lambda one: one.name)

    def _alive(
        self, repository_access: RepositoryAccess, kind: HolderKind, rows: Sequence[PermissionRow]
    ) -> list[Permission]:
        """Those of the rows whose holder is still there."""
        roles = {
            self._store.holder_id(row): row.role
            for row in rows
            if (row.kind == HolderKind.TEAM) == (kind == HolderKind.TEAM)
        }
        if kind == HolderKind.TEAM:
            return [Permission(team.name, HolderKind.TEAM, roles[team.id]) for team in self._teams.get_all(list(roles))]
        is_within = repository_access.place.is_organization
        members = self._teams.all_members(repository_access.place.id) if is_within and roles else set()
        return [
            Permission(
                row.name,
                HolderKind(row.kind),
                roles[row.id],
                _is_member(HolderKind(row.kind), row.id in members) if is_within else None,
            )
            for row in self._accounts.get_all(list(roles)).values()
        ]

    def get(self, actor: Actor, name: RepositoryName, kind: HolderKind, holder: str) -> Permission:
        """One role. Raises NotGiven, Unauthenticated, Denied, NameUnknown."""
        repository_access = self._access.require_role(actor, name, Role.ADMIN)
        found = self._known(repository_access, kind, holder)
        row = get(PermissionRow, keys.permission(repository_access.repository.id, found.id))
        if row is None:
            raise NotGiven(kind.capitalize(), holder)
        return self._shown(repository_access, found, row.role)

    def _shown(self, repository_access: RepositoryAccess, holder: RoleHolder, role: Role) -> Permission:
        place = repository_access.place
        if holder.kind == HolderKind.TEAM or not place.is_organization:
            return Permission(holder.name, holder.kind, role)
        is_in_team = holder.kind == HolderKind.USER and bool(self._teams.of_account(holder.id, place.id))
        return Permission(holder.name, holder.kind, role, _is_member(holder.kind, is_in_team))

    def put(self, actor: Actor, name: RepositoryName, kind: HolderKind, holder: str, role: Role) -> Permission:
        """Gives a role, or another one. Raises FieldInvalid, Unauthenticated, Denied, NameUnknown."""

        def attempt() -> Permission:
            repository_access = self._access.require_role(actor, name, Role.ADMIN)
            found = self._holder(repository_access, kind, holder)
            self._put(actor, repository_access.repository, found, role)
            return self._shown(repository_access, found, role)

        return retry_on_conflict(attempt)

    def _put(self, actor: Actor, repository: Repository, holder: RoleHolder, role: Role) -> None:
        stored = get(PermissionRow, keys.permission(repository.id, holder.id))
        transaction = Transaction()
        where = (repository.namespace_id, repository.id)
        self._store.put(transaction, where, holder, role, is_new=stored is None)
        if holder.kind == HolderKind.TEAM:
            self._teams.require_team(transaction, holder.id)
        else:
            self._accounts.require_account(transaction, holder.id)
        kind = "change_repo_permission" if stored else "add_repo_permission"
        self._usage.record(actor, transaction, kind, repository, {**_told(repository, holder), "role": role})
        transaction.commit()

    def remove(self, actor: Actor, name: RepositoryName, kind: HolderKind, holder: str) -> None:
        """Takes a role back. Raises NotGiven, Unauthenticated, Denied, NameUnknown."""

        def attempt() -> None:
            repository_access = self._access.require_role(actor, name, Role.ADMIN)
            found, repository = self._known(repository_access, kind, holder), repository_access.repository
            if get(PermissionRow, keys.permission(repository.id, found.id)) is None:
                raise NotGiven(kind.capitalize(), holder)
            transaction = Transaction()
            self._store.remove(transaction, (repository.namespace_id, repository.id), found)
            self._usage.record(actor, transaction, "delete_repo_permission", repository, _told(repository, found))
            transaction.commit()

        retry_on_conflict(attempt)

    def transitive(self, actor: Actor, name: RepositoryName, holder: str) -> list[Role]:
        """All roles that a user has, by themselves and by teams. Raises NothingThere, Denied, NameUnknown."""
        repository_access = self._access.require_role(actor, name, Role.ADMIN)
        pointer, repository = self._accounts.find(holder), repository_access.repository
        if pointer is None or pointer.kind == AccountKind.ORGANIZATION:
            raise ResourceUnknown("user", holder)
        teams = self._teams.get_all(self._teams.of_account(pointer.id, repository.namespace_id))
        given = self._store.of_holders(repository.id, [pointer.id, *(team.id for team in teams)])
        return given + [Role.ADMIN for team in teams if team.role is TeamRole.ADMIN]

    def _known(self, repository_access: RepositoryAccess, kind: HolderKind, name: str) -> RoleHolder:
        """Who is meant by a name that may be anybody's. Raises NotGiven."""
        try:
            return self._find(repository_access, kind, name)
        except FieldInvalid:
            raise NotGiven(kind.capitalize(), name) from None

    def _find(self, repository_access: RepositoryAccess, kind: HolderKind, name: str) -> RoleHolder:
        """Who is meant by a name. Raises FieldInvalid."""
        if kind == HolderKind.TEAM:
            team = self._teams.find(repository_access.repository.namespace_id, name)
            if team is None:
                raise FieldInvalid("", f"No team {name[:80]} in organization {repository_access.place.name}")
            return RoleHolder(team.id, team.name, HolderKind.TEAM)
        pointer = self._accounts.find(name)
        if pointer is None or pointer.kind == AccountKind.ORGANIZATION:
            raise FieldInvalid("", f"Invalid username: {name[:80]}")
        return RoleHolder(pointer.id, name, HolderKind(pointer.kind))

    def _holder(self, repository_access: RepositoryAccess, kind: HolderKind, name: str) -> RoleHolder:
        """Who may be given a role: no owner, who has all, and no robot of another namespace. Raises FieldInvalid."""
        holder, place = self._find(repository_access, kind, name), repository_access.place
        if holder.id == place.id:
            raise FieldInvalid("", "Namespace owner must always be admin.")
        if holder.kind == HolderKind.ROBOT and name.partition("+")[0] != place.name:
            raise FieldInvalid("", f"Cannot add robot {name} under namespace {place.name}")
        return holder


def _is_member(kind: HolderKind, is_in_team: bool) -> bool:
    """Whether a user or robot belongs to the organization; its robots, and none other have roles here, always do."""
    return kind == HolderKind.ROBOT or is_in_team


def _told(repository: Repository, holder: RoleHolder) -> dict[str, object]:
    """What the usage log says of a change of permissions, in Quay's words."""
    who = {"team": holder.name} if holder.kind == HolderKind.TEAM else {"username": holder.name}
    return {**who, "namespace": repository.name.namespace, "repo": repository.name.repository}

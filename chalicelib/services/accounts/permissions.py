"""Lists, sets and removes the roles of users, robots and teams on a repository."""

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
    """A holder's role on a repository. `is_member` tells whether a user is in a team of its organization."""

    name: str
    kind: HolderKind
    role: Role
    is_member: bool | None = None

    @property
    def is_robot(self) -> bool:
        """Whether a robot holds it."""
        return self.kind == HolderKind.ROBOT


class Permissions:
    """Manages roles on repositories. `kind` is `user`, also for robots, or `team`."""

    def __init__(self, access: Access, usage_log: UsageLog, stores: Stores) -> None:
        self._access, self._usage_log, self._store = access, usage_log, stores.permissions
        self._accounts, self._teams = stores.accounts, stores.teams

    def of_repository(self, actor: Actor, name: RepositoryName, kind: HolderKind) -> list[Permission]:
        """Returns all roles that were set on a repository, by holder name.

        Raises Unauthenticated, Denied, NameUnknown.
        """
        repository_access = self._access.require_role(actor, name, Role.ADMIN)
        permissions = self._alive(repository_access, kind, self._store.of_repository(repository_access.repository.id))
        return sorted(permissions, key=lambda one: one.name)

    def _alive(
        self, repository_access: RepositoryAccess, kind: HolderKind, rows: Sequence[PermissionRow]
    ) -> list[Permission]:
        """Returns the roles of the rows whose holder still exists."""
        roles = {
            self._store.holder_id(row): row.role
            for row in rows
            if (row.kind == HolderKind.TEAM) == (kind == HolderKind.TEAM)
        }
        if kind == HolderKind.TEAM:
            return [Permission(team.name, HolderKind.TEAM, roles[team.id]) for team in self._teams.get_all(list(roles))]
        is_within = repository_access.namespace_access.is_organization
        members = self._teams.all_members(repository_access.namespace_access.id) if is_within and roles else set()
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
        """Returns the role of one holder. Raises NotGiven, Unauthenticated, Denied, NameUnknown."""
        repository_access = self._access.require_role(actor, name, Role.ADMIN)
        role_holder = self._known(repository_access, kind, holder)
        row = get(PermissionRow, keys.permission(repository_access.repository.id, role_holder.id))
        if row is None:
            raise NotGiven(kind.capitalize(), holder)
        return self._permission(repository_access, role_holder, row.role)

    def _permission(self, repository_access: RepositoryAccess, holder: RoleHolder, role: Role) -> Permission:
        access = repository_access.namespace_access
        if holder.kind == HolderKind.TEAM or not access.is_organization:
            return Permission(holder.name, holder.kind, role)
        is_in_team = holder.kind == HolderKind.USER and bool(self._teams.of_account(holder.id, access.id))
        return Permission(holder.name, holder.kind, role, _is_member(holder.kind, is_in_team))

    def put(self, actor: Actor, name: RepositoryName, kind: HolderKind, holder: str, role: Role) -> Permission:
        """Sets the role of a holder. Raises FieldInvalid, Unauthenticated, Denied, NameUnknown."""

        def attempt() -> Permission:
            repository_access = self._access.require_role(actor, name, Role.ADMIN)
            role_holder = self._holder(repository_access, kind, holder)
            self._put(actor, repository_access.repository, role_holder, role)
            return self._permission(repository_access, role_holder, role)

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
        self._usage_log.record_for_repository(
            actor, transaction, kind, repository, {**_log_metadata(repository, holder), "role": role}
        )
        transaction.commit()

    def remove(self, actor: Actor, name: RepositoryName, kind: HolderKind, holder: str) -> None:
        """Removes the role of a holder. Raises NotGiven, Unauthenticated, Denied, NameUnknown."""

        def attempt() -> None:
            repository_access = self._access.require_role(actor, name, Role.ADMIN)
            role_holder, repository = self._known(repository_access, kind, holder), repository_access.repository
            if get(PermissionRow, keys.permission(repository.id, role_holder.id)) is None:
                raise NotGiven(kind.capitalize(), holder)
            transaction = Transaction()
            self._store.remove(transaction, (repository.namespace_id, repository.id), role_holder)
            self._usage_log.record_for_repository(
                actor, transaction, "delete_repo_permission", repository, _log_metadata(repository, role_holder)
            )
            transaction.commit()

        retry_on_conflict(attempt)

    def transitive(self, actor: Actor, name: RepositoryName, holder: str) -> list[Role]:
        """Returns all roles of a user, their own and those of their teams.

        Raises ResourceUnknown, Denied, NameUnknown.
        """
        repository_access = self._access.require_role(actor, name, Role.ADMIN)
        pointer, repository = self._accounts.find(holder), repository_access.repository
        if pointer is None or pointer.kind == AccountKind.ORGANIZATION:
            raise ResourceUnknown("user", holder)
        teams = self._teams.get_all(self._teams.of_account(pointer.id, repository.namespace_id))
        roles = self._store.of_holders(repository.id, [pointer.id, *(team.id for team in teams)])
        return roles + [Role.ADMIN for team in teams if team.role is TeamRole.ADMIN]

    def _known(self, repository_access: RepositoryAccess, kind: HolderKind, name: str) -> RoleHolder:
        """Returns the holder with a name. Raises NotGiven if there is none."""
        try:
            return self._find(repository_access, kind, name)
        except FieldInvalid:
            raise NotGiven(kind.capitalize(), name) from None

    def _find(self, repository_access: RepositoryAccess, kind: HolderKind, name: str) -> RoleHolder:
        """Returns the holder with a name. Raises FieldInvalid if there is none."""
        if kind == HolderKind.TEAM:
            team = self._teams.find(repository_access.repository.namespace_id, name)
            if team is None:
                raise FieldInvalid("", f"No team {name[:80]} in organization {repository_access.namespace_access.name}")
            return RoleHolder(team.id, team.name, HolderKind.TEAM)
        pointer = self._accounts.find(name)
        if pointer is None or pointer.kind == AccountKind.ORGANIZATION:
            raise FieldInvalid("", f"Invalid username: {name[:80]}")
        return RoleHolder(pointer.id, name, HolderKind(pointer.kind))

    def _holder(self, repository_access: RepositoryAccess, kind: HolderKind, name: str) -> RoleHolder:
        """Returns a holder who may have a role.

        Raises FieldInvalid for the owner and for robots of other namespaces.
        """
        holder, access = self._find(repository_access, kind, name), repository_access.namespace_access
        if holder.id == access.id:
            raise FieldInvalid("", "Namespace owner must always be admin.")
        if holder.kind == HolderKind.ROBOT and name.partition("+")[0] != access.name:
            raise FieldInvalid("", f"Cannot add robot {name} under namespace {access.name}")
        return holder


def _is_member(kind: HolderKind, is_in_team: bool) -> bool:
    """Whether a holder belongs to the organization. A robot always does, as only its own robots have roles."""
    return kind == HolderKind.ROBOT or is_in_team


def _log_metadata(repository: Repository, holder: RoleHolder) -> dict[str, object]:
    """Returns the usage log's metadata of a changed permission, with Quay's keys."""
    who = {"team": holder.name} if holder.kind == HolderKind.TEAM else {"username": holder.name}
    return {**who, "namespace": repository.name.namespace, "repo": repository.name.repository}

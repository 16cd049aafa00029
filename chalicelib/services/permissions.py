"""Roles of users, robots and teams on one repository: given, changed, taken back, and told."""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain.accounts import Kind
from chalicelib.domain.errors import FieldInvalid, NotGiven
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, Role
from chalicelib.domain.repositories import Repository
from chalicelib.services.access import Access, Standing
from chalicelib.services.usage import Usage
from chalicelib.storage import keys
from chalicelib.storage.accounts import AccountStore
from chalicelib.storage.permissions import TEAM, Holder, PermissionStore
from chalicelib.storage.repositories import PermissionRow
from chalicelib.storage.table import Transaction, get, until_won
from chalicelib.storage.teams import TeamStore

USER = "user"


@dataclass(frozen=True, slots=True)
class Permission:
    """A holder's role on a repository. `is_member` is whether a user is in a team of its organization."""

    name: str
    kind: str
    role: Role
    is_member: bool | None = None

    @property
    def is_robot(self) -> bool:
        """Whether a robot holds it."""
        return self.kind == Kind.ROBOT.value


class Permissions:
    """Roles on repositories. `kind` is `user`, for robots too, or `team`."""

    def __init__(
        self, access: Access, usage: Usage, store: PermissionStore, accounts: AccountStore, teams: TeamStore
    ) -> None:
        self._access, self._usage, self._store = access, usage, store
        self._accounts, self._teams = accounts, teams

    def of_repository(self, actor: Actor, name: RepositoryName, kind: str) -> list[Permission]:
        """All roles that were given on a repository, by name. Raises Unauthenticated, Denied, NameUnknown."""
        standing = self._access.standing(actor, name, Role.ADMIN)
        return self._alive(standing, kind, self._store.of_repository(standing.repository.id))

    def _alive(self, standing: Standing, kind: str, rows: Sequence[PermissionRow]) -> list[Permission]:
        """Those of the rows whose holder is still there."""
        ids = [self._store.holder_id(row) for row in rows if (row.kind == TEAM) == (kind == TEAM)]
        named: dict[str, tuple[str, str]]
        if kind == TEAM:
            named = {team.id: (team.name, TEAM) for team in self._teams.get_all(ids)}
        else:
            named = {account.id: (account.name, account.kind) for account in self._accounts.get_all(ids).values()}
        found = []
        for row in rows:
            identifier = self._store.holder_id(row)
            if identifier in named:
                name, held_as = named[identifier]
                member = self._is_member(standing, identifier, held_as)
                found.append(Permission(name, held_as, Role(row.role), member))
        return sorted(found, key=lambda one: one.name)

    def _is_member(self, standing: Standing, account_id: str, kind: str) -> bool | None:
        place = standing.place
        if kind == TEAM or not place.is_organization:
            return None
        if kind == Kind.ROBOT.value:
            return True
        return bool(self._teams.of_account(account_id, place.id))

    def get(self, actor: Actor, name: RepositoryName, kind: str, holder: str) -> Permission:
        """One role. Raises NotGiven, FieldInvalid, Unauthenticated, Denied, NameUnknown."""
        standing = self._access.standing(actor, name, Role.ADMIN)
        found = self._holder(standing, kind, holder)
        row = get(PermissionRow, keys.permission(standing.repository.id, found.id))
        if row is None:
            raise NotGiven(kind.capitalize(), holder)
        return Permission(found.name, found.kind, Role(row.role), self._is_member(standing, found.id, found.kind))

    def put(self, actor: Actor, name: RepositoryName, kind: str, holder: str, role: Role) -> Permission:
        """Gives a role, or another one. Raises FieldInvalid, Unauthenticated, Denied, NameUnknown."""
        standing = self._access.standing(actor, name, Role.ADMIN)
        found = self._holder(standing, kind, holder)
        until_won(lambda: self._put(actor, standing.repository, found, role))
        return Permission(found.name, found.kind, role, self._is_member(standing, found.id, found.kind))

    def _put(self, actor: Actor, repository: Repository, holder: Holder, role: Role) -> None:
        stored = get(PermissionRow, keys.permission(repository.id, holder.id))
        transaction = Transaction()
        where = (repository.namespace_id, repository.id)
        self._store.put(transaction, where, holder, role, is_new=stored is None)
        kind = "change_repo_permission" if stored else "add_repo_permission"
        self._usage.record(actor, transaction, kind, repository, {**_told(repository, holder), "role": role.value})
        transaction.commit()

    def remove(self, actor: Actor, name: RepositoryName, kind: str, holder: str) -> None:
        """Takes a role back. Raises NotGiven, FieldInvalid, Unauthenticated, Denied, NameUnknown."""
        standing = self._access.standing(actor, name, Role.ADMIN)
        found, repository = self._holder(standing, kind, holder), standing.repository

        def attempt() -> None:
            if get(PermissionRow, keys.permission(repository.id, found.id)) is None:
                raise NotGiven(kind.capitalize(), holder)
            transaction = Transaction()
            self._store.remove(transaction, (repository.namespace_id, repository.id), found)
            self._usage.record(actor, transaction, "delete_repo_permission", repository, _told(repository, found))
            transaction.commit()

        until_won(attempt)

    def transitive(self, actor: Actor, name: RepositoryName, holder: str) -> list[Role]:
        """All roles that a user has, by themselves and by teams. Raises FieldInvalid, Denied, NameUnknown."""
        standing = self._access.standing(actor, name, Role.ADMIN)
        found, repository = self._holder(standing, USER, holder), standing.repository
        rows = [get(PermissionRow, keys.permission(repository.id, found.id))]
        teams = self._teams.get_all(self._teams.of_account(found.id, repository.namespace_id))
        rows += [get(PermissionRow, keys.permission(repository.id, team.id)) for team in teams]
        roles = [Role(row.role) for row in rows if row]
        return roles + [Role.ADMIN for team in teams if team.role == Role.ADMIN.value]

    def _holder(self, standing: Standing, kind: str, name: str) -> Holder:
        """Who is meant by a name. Raises FieldInvalid."""
        if kind == TEAM:
            team = self._teams.find(standing.repository.namespace_id, name)
            if team is None:
                raise FieldInvalid("", f"Unknown team {name[:80]}")
            return Holder(team.id, team.name, TEAM)
        pointer = self._accounts.find(name)
        if pointer is None or pointer.kind == Kind.ORGANIZATION.value:
            raise FieldInvalid("", f"Invalid username: {name[:80]}")
        return Holder(pointer.id, name, pointer.kind)


def _told(repository: Repository, holder: Holder) -> dict[str, object]:
    """What the usage log says of a change of permissions, in Quay's words."""
    who = {"team": holder.name} if holder.kind == TEAM else {"username": holder.name}
    return {**who, "namespace": repository.name.namespace, "repo": repository.name.repository}

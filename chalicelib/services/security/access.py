"""May this actor do this to that? The one answer.

Reads of the registry trust what the actor's token carries, for the minutes it lives. Writes look at the rows again that
gave the right, in the same batch of reads that the write needs anyway, and walk all rights when those rows no longer
give it. The API trusts nothing: every call reads the rows as they are now.
"""

from dataclasses import dataclass

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.errors import Denied, NameUnknown, ResourceUnknown, Unauthenticated
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANY, DELETE, PULL, PUSH, Actor, Grant, Role, Source
from chalicelib.domain.policies import TagNames, from_text
from chalicelib.domain.repositories import Mode, Repository
from chalicelib.domain.scopes import ORG_ADMIN, REPO_CREATE, REPO_READ, SUPER_USER, USER_ADMIN, allows, capped
from chalicelib.domain.states import NamespaceState, RepositoryState
from chalicelib.domain.teams import TeamRole
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import (
    AccountNameRow,
    AccountRow,
    NamespaceRow,
    holds,
)
from chalicelib.storage.accounts.teams import MembershipRow, TeamRow
from chalicelib.storage.registry.repositories import PermissionRow, RepositoryNameRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch


@dataclass(frozen=True, slots=True)
class NamespaceAccess:
    """A namespace as an actor stands in it:

    The best role of their teams, None for a stranger; a user's own is ADMIN.
    """

    id: str
    name: str
    kind: AccountKind
    role: TeamRole | None
    teams: tuple[TeamRow, ...] = ()

    @property
    def is_organization(self) -> bool:
        """Whether it is an organization's."""
        return self.kind is AccountKind.ORGANIZATION

    @property
    def is_admin(self) -> bool:
        """Whether the actor administers it."""
        return self.role is TeamRole.ADMIN

    @property
    def may_create(self) -> bool:
        """Whether the actor may make repositories in it."""
        return self.role is not None and self.role.rank >= TeamRole.CREATOR.rank


@dataclass(frozen=True, slots=True)
class RepositoryAccess:
    """A repository as an actor stands to it; `role` is the smaller of the actor's and the token's, None for none.

    `is_own` is whether that is the actor's, and not what everybody has on a public repository.
    """

    repository: Repository
    row: RepositoryNameRow
    place: NamespaceAccess
    role: Role | None
    is_own: bool

    def has(self, role: Role) -> bool:
        """Whether the actor has at least this role."""
        return self.role is not None and self.role.rank >= role.rank


@dataclass(frozen=True, slots=True)
class RepositoryRight:
    """A role on a repository and the row that gives it."""

    source: Source | None = None
    role: Role | None = None
    team_id: str | None = None


class Access:
    """Rights on namespaces and repositories. With `full_access` superusers have every right on all of them."""

    def __init__(self, stores: Stores) -> None:
        self._accounts, self._repositories, self._teams = stores.accounts, stores.repositories, stores.teams
        self._full_access = stores.settings.superusers_full_access

    def granted(self, actor: Actor, name: RepositoryName, action: str) -> Grant:
        """What the actor's token says of a repository; without a token, what everybody may.

        Raises Unauthenticated, which does not tell whether the repository is there.
        """
        grant = actor.grants.get(str(name))
        if grant is None and action == PULL and not actor.has_token:
            grant = self.walk(None, name)
        if grant is None or not permits(grant.actions, action):
            why = "insufficient_scope" if actor.has_token else ""
            raise Unauthenticated(f"this needs a token that may {action} {name}, if it exists", why)
        return grant

    def repository(self, actor: Actor, name: RepositoryName, action: str = PULL) -> Repository:
        """The repository, if the actor may do this to it. Raises Unauthenticated, NameUnknown."""
        grant = self.granted(actor, name, action)
        repository = self.known(grant, name)
        if repository is None:
            raise NameUnknown(str(name))
        return repository

    def known(self, grant: Grant, name: RepositoryName) -> Repository | None:
        """The repository a grant is for; one from before the first push resolves the name."""
        if grant.namespace_id is None:
            return None
        identifier = grant.repository_id
        if identifier is None:
            row = self._repositories.find(grant.namespace_id, name)
            identifier = row.repository_id if row else None
        return Repository(identifier, grant.namespace_id, name) if identifier else None

    def may(self, actor: Actor, name: RepositoryName, action: str) -> bool:
        """Whether the actor's token permits this."""
        grant = actor.grants.get(str(name))
        return grant is not None and permits(grant.actions, action)

    def recheck(self, batch: Batch, actor: Actor, repository: Repository) -> "WriteAccess":
        """Asks `batch` for the rows that gave the actor the right to write."""
        return WriteAccess(self, batch, actor, repository)

    def walk(self, account: AccountRow | None, name: RepositoryName, scopes: frozenset[str] | None = None) -> Grant:
        """All that an account (None: the anonymous) may do to a repository, from the rows as they are now.

        `scopes` are those of an OAuth token that speaks for the account.
        """
        pointer = self._accounts.find(name.namespace)
        if pointer is None:
            return Grant(str(name), frozenset())
        row = self._repositories.find(pointer.id, name)
        right = self._right(account, pointer, row)
        role = capped(right.role, scopes)
        if role is None:
            return Grant(str(name), frozenset(), row.repository_id if row else None, pointer.id if row else None)
        actions = _in_mode(role.actions, row)
        identifier = row.repository_id if row else None
        return Grant(str(name), actions, identifier, pointer.id, right.source, right.team_id)

    def _right(
        self, account: AccountRow | None, pointer: AccountNameRow, row: RepositoryNameRow | None
    ) -> RepositoryRight:
        """The best right of an account: on a repository, or, where none is, to make it."""
        if account is not None and account.id == pointer.id:
            return RepositoryRight(Source.OWNER, Role.ADMIN)
        if account is not None:
            found = self._held(account, pointer, row)
            if found.role is not None:
                return found
        if row is not None and row.is_public:
            return RepositoryRight(Source.PUBLIC, Role.READ)
        return RepositoryRight()

    def _held(self, account: AccountRow, pointer: AccountNameRow, row: RepositoryNameRow | None) -> RepositoryRight:
        """What permissions and teams give an account, by one query and one batch."""
        is_organization = pointer.kind == AccountKind.ORGANIZATION
        teams = self._teams.of_account(account.id, pointer.id) if is_organization else []
        batch = Batch()
        held = [account.id, *teams] if row else []
        permissions = {
            holder: batch.add(PermissionRow, keys.permission(row.repository_id if row else "", holder))
            for holder in held
        }
        rows = {team_id: batch.add(TeamRow, keys.team(team_id)) for team_id in teams}
        if permissions or rows:
            batch.read()
        rights = [RepositoryRight(Source.TEAM, _of_team(read.row, row), team_id) for team_id, read in rows.items()]
        for holder, permission in permissions.items():
            if permission.row and (holder not in rows or rows[holder].row):
                is_team = holder in rows
                source = Source.TEAM if is_team else Source.PERMISSION
                rights.append(RepositoryRight(source, permission.row.role, holder if is_team else None))
        return max(rights, key=lambda right: right.role.rank if right.role else -1, default=RepositoryRight())

    def place(self, actor: Actor, name: str) -> NamespaceAccess | None:
        """A namespace by its name, and how the actor stands in it; None where there is none."""
        pointer = self._accounts.find(name)
        if pointer is None or pointer.kind == AccountKind.ROBOT:
            return None
        return self._stand(actor, pointer, name)

    def _stand(self, actor: Actor, pointer: AccountNameRow, name: str) -> NamespaceAccess:
        kind = pointer.kind
        if kind is AccountKind.USER:
            role = TeamRole.ADMIN if actor.account_id == pointer.id else None
            return NamespaceAccess(pointer.id, name, kind, role or self._superuser_role(actor))
        ids = self._teams.of_account(actor.account_id, pointer.id) if actor.account_id else []
        teams = tuple(self._teams.get_all(ids))
        role = max((team.role for team in teams), key=lambda one: one.rank, default=None)
        return NamespaceAccess(pointer.id, name, kind, self._superuser_role(actor) or role, teams)

    def has_all(self, actor: Actor) -> bool:
        """Whether the actor is a superuser who has every right on everything."""
        return self._full_access and actor.is_superuser and allows(actor.scopes, SUPER_USER)

    def _superuser_role(self, actor: Actor) -> TeamRole | None:
        return TeamRole.ADMIN if self.has_all(actor) else None

    def creatable(self, actor: Actor, name: str) -> NamespaceAccess:
        """A namespace in which the actor may make repositories. Raises Denied, also where there is none."""
        place = self.place(actor, name)
        if place is None or not place.may_create or not allows(actor.scopes, REPO_CREATE):
            raise Denied(name, "make repositories in")
        return place

    def organization(self, actor: Actor, name: str) -> NamespaceAccess:
        """An organization by its name, whoever asks. Raises NothingThere."""
        place = self.place(actor, name)
        if place is None or not place.is_organization:
            raise ResourceUnknown("organization", name)
        return place

    def administered(self, actor: Actor, name: str, scope: str = ORG_ADMIN) -> NamespaceAccess:
        """An organization that the actor administers. Raises NothingThere, Unauthenticated, Denied."""
        place = self.organization(actor, name)
        if not place.is_admin or not allows(actor.scopes, scope):
            raise refusal(actor, name, "administer")
        return place

    def member_of(self, actor: Actor, name: str, scope: str = ORG_ADMIN) -> NamespaceAccess:
        """An organization that the actor is a member of. Raises NothingThere, Unauthenticated, Denied."""
        place = self.organization(actor, name)
        if place.role is None or not allows(actor.scopes, scope):
            raise refusal(actor, name, "read")
        return place

    def require_role(self, actor: Actor, name: RepositoryName, role: Role) -> RepositoryAccess:
        """A repository on which the actor has at least a role, as the rows are now.

        Raises Denied, which tells those without a right nothing, whoever they are; NameUnknown for those with one.
        """
        pointer = self._accounts.find(name.namespace)
        if pointer is None:
            raise Denied(str(name), role)
        found = self._repositories.find(pointer.id, name)
        if found is None:
            place = self._stand(actor, pointer, name.namespace)
            if place.may_create and allows(actor.scopes, REPO_READ):
                raise NameUnknown(str(name))
            raise Denied(str(name), role)
        repository_access = self._repository_access(actor, pointer, found, name)
        if not repository_access.has(role):
            raise Denied(str(name), role)
        return repository_access

    def require_own_role(self, actor: Actor, name: RepositoryName, role: Role) -> RepositoryAccess:
        """The same, where what everybody may of a public repository is not enough. Raises Denied, NameUnknown."""
        repository_access = self.require_role(actor, name, role)
        if not repository_access.is_own:
            raise Denied(str(name), role)
        return repository_access

    def _repository_access(
        self, actor: Actor, pointer: AccountNameRow, row: RepositoryNameRow, name: RepositoryName
    ) -> RepositoryAccess:
        account = AccountRow(id=actor.account_id) if actor.account_id else None
        right = self._right(account, pointer, row)
        is_superuser = self._superuser_role(actor) is not None
        capped_role = capped(Role.ADMIN if is_superuser else right.role, actor.scopes)
        is_own = capped_role is not None and (is_superuser or right.source is not Source.PUBLIC)
        if capped_role is None and row.is_public:
            # What everybody may, a token may that was asked for something else.
            capped_role = Role.READ
        place = NamespaceAccess(pointer.id, name.namespace, pointer.kind, None)
        return RepositoryAccess(Repository(row.repository_id, pointer.id, name), row, place, capped_role, is_own)

    def require_user(self, actor: Actor, scope: str = USER_ADMIN) -> str:
        """The account id of an actor who is a user. Raises Unauthenticated, Denied."""
        if actor.account_id is None or actor.kind != AccountKind.USER or not allows(actor.scopes, scope):
            raise refusal(actor, actor.name, "do this as")
        return actor.account_id

    def superuser(self, actor: Actor) -> str:
        """The account id of a superuser, whose token lets that through. Raises Unauthenticated, Denied."""
        if actor.account_id is None or not actor.is_superuser or not allows(actor.scopes, SUPER_USER):
            raise refusal(actor, "this", "do")
        return actor.account_id


class WriteAccess:
    """The rows behind a write, read with it."""

    def __init__(self, access: Access, batch: Batch, actor: Actor, repository: Repository) -> None:
        self._access, self._actor, self._repository = access, actor, repository
        self._grant = actor.grants[str(repository.name)]
        name_key = keys.repository_name(repository.namespace_id, repository.name.repository)
        self._name = batch.add(RepositoryNameRow, name_key)
        self._namespace = batch.add(NamespaceRow, keys.namespace(repository.namespace_id))
        account_id, team_id = actor.account_id or "", self._grant.team_id or ""
        self._account = batch.add(AccountRow, keys.account(account_id))
        holder = {Source.PERMISSION: account_id, Source.TEAM: team_id}.get(self._grant.source or Source.PUBLIC)
        self._permission = batch.add(PermissionRow, keys.permission(repository.id, holder)) if holder else None
        is_by_team = self._grant.source is Source.TEAM
        self._team = batch.add(TeamRow, keys.team(team_id)) if is_by_team else None
        membership = keys.membership(account_id, repository.namespace_id, team_id)
        self._membership = batch.add(MembershipRow, membership) if is_by_team else None

    def check(self, action: str = PUSH) -> None:
        """Raises NameUnknown when the repository is no longer this one, Denied when the right is gone."""
        name, namespace = self._name.row, self._namespace.row
        alive = name is not None and name.state == RepositoryState.LIVE and name.repository_id == self._repository.id
        if not alive or namespace is None or namespace.state != NamespaceState.LIVE:
            raise NameUnknown(str(self._repository.name))
        is_closed = action in (PUSH, DELETE) and not _in_mode(frozenset({action}), name)
        if not holds(self._account, self._actor.epoch) or is_closed:
            raise Denied(str(self._repository.name), action)
        if not self._still_given(action):
            walked = self._access.walk(self._account.row, self._repository.name)
            if not permits(walked.actions, action):
                raise Denied(str(self._repository.name), action)

    def _still_given(self, action: str) -> bool:
        if self._grant.source is Source.OWNER:
            return self._actor.account_id == self._repository.namespace_id
        row = self._permission.row if self._permission else None
        role = row.role if row else None
        if self._grant.source is Source.TEAM:
            team = self._team.row if self._team else None
            if team is None or self._membership is None or self._membership.row is None:
                return False
            role = Role.ADMIN if team.role is TeamRole.ADMIN else role
        return role is not None and permits(role.actions, action)

    @property
    def namespace(self) -> NamespaceRow | None:
        """The namespace that is written to."""
        return self._namespace.row

    @property
    def window_s(self) -> int:
        """The namespace's Time Machine window in seconds."""
        return self._namespace.row.window_s if self._namespace.row else 0

    @property
    def rules(self) -> list[TagNames]:
        """Which tags may not change once they are there, by the policies of namespace and repository."""
        rows = self._namespace.row, self._name.row
        return [rule for row in rows if row is not None for rule in from_text(row.immutability)]


def permits(actions: frozenset[str], action: str) -> bool:
    """Whether granted actions include one; whoever may push may delete."""
    return action in actions or ANY in actions or (action == DELETE and PUSH in actions)


def refusal(actor: Actor, what: str, action: str) -> Unauthenticated | Denied:
    """What an actor without a right is told: who they are is not known, or what they may not."""
    return Unauthenticated("Requires authentication") if actor.is_anonymous else Denied(what, action)


def _of_team(team: TeamRow | None, repository: RepositoryNameRow | None) -> Role | None:
    """What a team gives by its own role: everything to admins, and to creators what they make."""
    if team is None:
        return None
    if team.role is TeamRole.ADMIN or (repository is None and team.role is TeamRole.CREATOR):
        return Role.ADMIN
    return None


def _in_mode(actions: frozenset[str], row: RepositoryNameRow | None) -> frozenset[str]:
    """Of actions, those that the repository's mode lets through: one that is not NORMAL takes no push."""
    return actions if row is None or row.mode == Mode.NORMAL else actions & {PULL}

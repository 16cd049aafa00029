"""Decides whether an actor may do an action. Every right is checked here.

A pull trusts the rights in the actor's token, which lives for minutes. A write reads the rows that gave the right
again, in the batch of reads that it needs anyway, and looks at all rights when those rows no longer give it. The API
trusts no token: every call reads the rows as they are now.
"""

from dataclasses import dataclass, replace

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.errors import (
    Denied,
    NameUnknown,
    PushUnauthenticated,
    ResourceUnknown,
    Unauthenticated,
)
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import PULL, TO_PULL, Actor, Grant, Need, Role, Source, permits
from chalicelib.domain.repositories import Repository
from chalicelib.domain.scopes import (
    ORG_ADMIN,
    REPO_CREATE,
    REPO_READ,
    USER_ADMIN,
    acts_as_superuser,
    allows,
    audits,
    capped,
)
from chalicelib.domain.states import NamespaceState, NamespaceUpstream
from chalicelib.domain.teams import TeamRole
from chalicelib.services.security.credentials import CredentialRows
from chalicelib.services.security.write_access import WriteAccess
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountNameRow, AccountRow, NamespaceRow
from chalicelib.storage.accounts.quotas import reject_bytes_of
from chalicelib.storage.accounts.teams import TeamRow
from chalicelib.storage.registry.repositories import PermissionRow, RepositoryNameRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch


@dataclass(frozen=True, slots=True)
class NamespaceAccess:
    """A namespace with an actor's role in it.

    `role` is the best role of the actor's teams, and None for somebody in no team. In their own namespace a user is
    ADMIN. `is_audit` tells whether the role is that of a read-only superuser, to whom no secrets are shown.
    """

    id: str
    name: str
    kind: AccountKind
    role: TeamRole | None
    teams: tuple[TeamRow, ...] = ()
    is_audit: bool = False

    @property
    def is_organization(self) -> bool:
        """Whether the namespace belongs to an organization."""
        return self.kind is AccountKind.ORGANIZATION

    @property
    def is_admin(self) -> bool:
        """Whether the actor administers the namespace."""
        return self.role is TeamRole.ADMIN

    @property
    def may_create(self) -> bool:
        """Whether the actor may create repositories in the namespace."""
        return self.role is not None and self.role.rank >= TeamRole.CREATOR.rank


@dataclass(frozen=True, slots=True)
class RepositoryAccess:
    """A repository with an actor's role on it.

    `role` is the smaller of the actor's role and what the token allows, and None for no role. `is_own` tells whether
    the actor holds that role, as opposed to the read right that everybody has on a public repository.
    """

    repository: Repository
    row: RepositoryNameRow
    namespace_access: NamespaceAccess
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
    """Checks rights on namespaces and repositories. With full access, superusers have every right on all of them."""

    def __init__(self, stores: Stores) -> None:
        self._accounts, self._repositories, self._teams = stores.accounts, stores.repositories, stores.teams
        self._full_access, self._clock = stores.settings.superusers_full_access, stores.clock

    def granted(self, actor: Actor, name: RepositoryName, need: Need) -> Grant:
        """Returns the grant of the actor's token on a repository; without a token, the grant that everybody has.

        Raises Unauthenticated, which tells whether the repository exists, and its state, only to whom the state takes
        the right.
        """
        grant, action = actor.grants.get(str(name)), need.action
        if grant is None and action == PULL and not actor.has_token:
            grant = self.walk(None, name)
        if grant is None or not permits(grant.actions, action):
            why = "insufficient_scope" if actor.has_token else ""
            if grant is not None and grant.state and action != PULL:
                raise PushUnauthenticated(str(name), grant.state, why)
            raise Unauthenticated(f"this needs a token that may {action} {name}, if it exists", why)
        return grant

    def repository(self, actor: Actor, name: RepositoryName, need: Need = TO_PULL) -> Repository:
        """Returns a repository on which the actor may do what is needed. Raises Unauthenticated, NameUnknown."""
        grant = self.granted(actor, name, need)
        repository = self.known(grant, name)
        if repository is None:
            raise NameUnknown(str(name))
        return repository

    def known(self, grant: Grant, name: RepositoryName) -> Repository | None:
        """Returns the repository of a grant. A grant from before the first push has no id, so its name is looked up."""
        if grant.namespace_id is None:
            return None
        identifier = grant.repository_id
        if identifier is None:
            row = self._repositories.find(grant.namespace_id, name)
            identifier = row.repository_id if row else None
        return Repository(identifier, grant.namespace_id, name) if identifier else None

    def may(self, actor: Actor, name: RepositoryName, action: str) -> bool:
        """Whether the actor's token permits an action."""
        grant = actor.grants.get(str(name))
        return grant is not None and permits(grant.actions, action)

    def credential(self, batch: Batch, actor: Actor) -> CredentialRows:
        """Adds to `batch` the reads of the rows that the credential of the actor's token depends on."""
        return CredentialRows(batch, actor, self._clock)

    def recheck(self, batch: Batch, actor: Actor, repository: Repository) -> WriteAccess:
        """Adds to `batch` the reads of the rows that gave the actor the right to write."""
        return WriteAccess(self.walk, batch, actor, repository, self.credential(batch, actor))

    def walk(self, account: AccountRow | None, name: RepositoryName, scopes: frozenset[str] | None = None) -> Grant:
        """Returns the whole grant of an account on a repository, from the rows as they are now. None means anonymous.

        `scopes` are the scopes of an OAuth token that acts for the account.
        """
        pointer = self._accounts.find(name.namespace)
        if pointer is None:
            return Grant(str(name), frozenset())
        row, namespace = self._repositories.find_with_namespace(pointer.id, name)
        upstream = namespace.upstream if namespace else None
        is_cache = upstream is NamespaceUpstream.PROXY_CACHE
        right = self._right(account, pointer, row, Role.READ if is_cache else None)
        role = capped(right.role, scopes)
        if role is None:
            return Grant(str(name), frozenset(), row.repository_id if row else None, pointer.id if row else None)
        actions = row.allowed(role.actions, account.id if account else None) if row else role.actions
        if is_cache or (row is None and upstream is not None):
            actions &= {PULL}
        state: str | None = (row.mode if row else upstream) if actions != role.actions else None
        state = upstream if is_cache else state
        identifier = row.repository_id if row else None
        is_limited = reject_bytes_of(namespace) is not None
        return Grant(str(name), actions, identifier, pointer.id, right.source, right.team_id, state, is_limited)

    def is_cached(self, actor: Actor, name: RepositoryName) -> bool:
        """Whether the actor's token may have a proxy cache fetch a repository: everybody else gets what is here."""
        grant = actor.grants.get(str(name))
        if grant is None or grant.state != NamespaceUpstream.PROXY_CACHE or grant.source is Source.PUBLIC:
            return False
        return permits(grant.actions, PULL)

    def _right(
        self,
        account: AccountRow | None,
        pointer: AccountNameRow,
        row: RepositoryNameRow | None,
        of_members: Role | None = None,
    ) -> RepositoryRight:
        """Returns the best right of an account on a repository, or the right to create it where it does not exist.

        `of_members` is what every member of the organization may do at least.
        """
        if account is not None and account.id == pointer.id:
            return RepositoryRight(Source.OWNER, Role.ADMIN)
        if account is not None:
            right = self._held(account, pointer, row, of_members)
            if right.role is not None:
                return right
        if row is not None and row.is_public:
            return RepositoryRight(Source.PUBLIC, Role.READ)
        return RepositoryRight()

    def _held(
        self, account: AccountRow, pointer: AccountNameRow, row: RepositoryNameRow | None, of_members: Role | None
    ) -> RepositoryRight:
        """Returns the best right that permissions and teams give an account, with one query and one batch."""
        is_organization = pointer.kind == AccountKind.ORGANIZATION
        teams = self._teams.of_account(account.id, pointer.id) if is_organization else []
        batch = Batch()
        holders = [account.id, *teams] if row else []
        permissions = {
            holder: batch.add(PermissionRow, keys.permission(row.repository_id if row else "", holder))
            for holder in holders
        }
        rows = {team_id: batch.add(TeamRow, keys.team(team_id)) for team_id in teams}
        if permissions or rows:
            batch.read()
        rights = [
            RepositoryRight(Source.TEAM, _of_team(read.row, row) or (of_members if read.row else None), team_id)
            for team_id, read in rows.items()
        ]
        for holder, permission in permissions.items():
            if permission.row and (holder not in rows or rows[holder].row):
                is_team = holder in rows
                source = Source.TEAM if is_team else Source.PERMISSION
                rights.append(RepositoryRight(source, permission.row.role, holder if is_team else None))
        return max(rights, key=lambda right: right.role.rank if right.role else -1, default=RepositoryRight())

    def namespace_access(self, actor: Actor, name: str) -> NamespaceAccess | None:
        """Returns a namespace by its name with the actor's role in it, None if it does not exist."""
        pointer = self._accounts.find(name)
        if pointer is None or pointer.kind == AccountKind.ROBOT:
            return None
        return self._stand(actor, pointer, name)

    def _stand(self, actor: Actor, pointer: AccountNameRow, name: str) -> NamespaceAccess:
        kind = pointer.kind
        if kind is AccountKind.USER:
            role = TeamRole.ADMIN if actor.account_id == pointer.id else None
            return self._with_superusers_role(actor, NamespaceAccess(pointer.id, name, kind, role))
        ids = self._teams.of_account(actor.account_id, pointer.id) if actor.account_id else []
        teams = tuple(self._teams.get_all(ids))
        role = max((team.role for team in teams), key=lambda one: one.rank, default=None)
        return self._with_superusers_role(actor, NamespaceAccess(pointer.id, name, kind, role, teams))

    def _with_superusers_role(self, actor: Actor, access: NamespaceAccess) -> NamespaceAccess:
        """Returns the access of one who may be a superuser. A read-only one needs no setting to see a namespace."""
        if access.is_admin or not (self.has_all(actor) or audits(actor)):
            return access
        return replace(access, role=TeamRole.ADMIN, is_audit=audits(actor))

    def has_all(self, actor: Actor) -> bool:
        """Whether the actor is a superuser with every right on everything."""
        return self._full_access and acts_as_superuser(actor)

    def creatable(self, actor: Actor, name: str) -> NamespaceAccess:
        """Returns a namespace in which the actor may create repositories. Raises Unauthenticated, Denied."""
        access = self.namespace_access(actor, name)
        if access is None or not access.may_create or not allows(actor.scopes, REPO_CREATE):
            raise refusal(actor, name, "make repositories in")
        return access

    def organization(self, actor: Actor, name: str) -> NamespaceAccess:
        """Returns an organization by its name, for any actor. Raises ResourceUnknown."""
        access = self.namespace_access(actor, name)
        if access is None or not access.is_organization:
            raise ResourceUnknown("organization", name)
        return access

    def administered(self, actor: Actor, name: str, scope: str = ORG_ADMIN) -> NamespaceAccess:
        """Returns an organization that the actor administers. Raises ResourceUnknown, Unauthenticated, Denied."""
        access = self.organization(actor, name)
        if not access.is_admin or not allows(actor.scopes, scope):
            raise refusal(actor, name, "administer")
        return access

    def live_namespace(self, access: NamespaceAccess) -> NamespaceRow:
        """Returns the row of an organization that a request changes. Raises ResourceUnknown if it is deleted."""
        namespace = self._accounts.namespace(access.id)
        if namespace is None or namespace.state != NamespaceState.LIVE:
            raise ResourceUnknown("organization", access.name)
        return namespace

    def member_of(self, actor: Actor, name: str, scope: str = ORG_ADMIN) -> NamespaceAccess:
        """Returns an organization that the actor is a member of. Raises ResourceUnknown, Unauthenticated, Denied."""
        access = self.organization(actor, name)
        if access.role is None or not allows(actor.scopes, scope):
            raise refusal(actor, name, "read")
        return access

    def require_role(self, actor: Actor, name: RepositoryName, role: Role) -> RepositoryAccess:
        """Returns a repository on which the actor has at least a role, from the rows as they are now.

        Raises Unauthenticated or Denied, which do not tell whether the repository exists, and NameUnknown for those who
        may know.
        """
        pointer = self._accounts.find(name.namespace)
        if pointer is None:
            raise refusal(actor, str(name), role)
        row = self._repositories.find(pointer.id, name)
        if row is None:
            access = self._stand(actor, pointer, name.namespace)
            if access.may_create and allows(actor.scopes, REPO_READ):
                raise NameUnknown(str(name))
            raise refusal(actor, str(name), role)
        repository_access = self._repository_access(actor, pointer, row, name)
        if not repository_access.has(role):
            raise refusal(actor, str(name), role)
        return repository_access

    def require_own_role(self, actor: Actor, name: RepositoryName, role: Role) -> RepositoryAccess:
        """Does the same, but does not count the read right on public repositories."""
        repository_access = self.require_role(actor, name, role)
        if not repository_access.is_own:
            raise refusal(actor, str(name), role)
        return repository_access

    def _repository_access(
        self, actor: Actor, pointer: AccountNameRow, row: RepositoryNameRow, name: RepositoryName
    ) -> RepositoryAccess:
        account = AccountRow(id=actor.account_id) if actor.account_id else None
        right = self._right(account, pointer, row)
        is_superuser = self.has_all(actor)
        capped_role = capped(Role.ADMIN if is_superuser else right.role, actor.scopes)
        is_own = capped_role is not None and (is_superuser or right.source is not Source.PUBLIC)
        if capped_role is None and row.is_public:
            # A token with other scopes may still do what everybody may.
            capped_role = Role.READ
        access = NamespaceAccess(pointer.id, name.namespace, pointer.kind, None)
        return RepositoryAccess(Repository(row.repository_id, pointer.id, name), row, access, capped_role, is_own)

    def require_user(self, actor: Actor, scope: str = USER_ADMIN) -> str:
        """Returns the account id of an actor who is a user. Raises Unauthenticated, Denied."""
        if actor.account_id is None or actor.kind != AccountKind.USER or not allows(actor.scopes, scope):
            raise refusal(actor, actor.name, "do this as")
        return actor.account_id

    def superuser(self, actor: Actor) -> str:
        """Returns the account id of a superuser whose token has the scope for it. Raises Unauthenticated, Denied."""
        if actor.account_id is None or not acts_as_superuser(actor):
            raise refusal(actor, "this", "do")
        return actor.account_id


def refusal(actor: Actor, what: str, action: str) -> Unauthenticated | Denied:
    """Returns the error for an actor who lacks a right: Unauthenticated for an anonymous one, Denied for others."""
    return Unauthenticated("Requires authentication") if actor.is_anonymous else Denied(what, action)


def _of_team(team: TeamRow | None, repository: RepositoryNameRow | None) -> Role | None:
    """Returns the role that a team has by its kind: ADMIN for an admin team, and for creators on a new repository."""
    if team is None:
        return None
    if team.role is TeamRole.ADMIN or (repository is None and team.role is TeamRole.CREATOR):
        return Role.ADMIN
    return None

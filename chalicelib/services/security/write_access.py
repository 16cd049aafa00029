"""Reads the rows that give an actor the right to write again, together with the rows of the write itself."""

from collections.abc import Callable

from chalicelib.domain.errors import Denied, NameUnknown, RepositoryClosed
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import DELETE, PUSH, Actor, Grant, Role, Source, permits
from chalicelib.domain.policies import TagNames, from_text
from chalicelib.domain.repositories import Repository
from chalicelib.domain.states import NamespaceState, RepositoryState
from chalicelib.domain.teams import TeamRole
from chalicelib.services.security.credentials import CredentialRows
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountRow, NamespaceRow, holds
from chalicelib.storage.accounts.teams import MembershipRow, TeamRow
from chalicelib.storage.registry.repositories import PermissionRow, RepositoryNameRow
from chalicelib.storage.table import Batch

Walk = Callable[[AccountRow | None, RepositoryName], Grant]


class WriteAccess:
    """The rows that give a right to write, read together with the rows of the write itself.

    `walk` returns the whole grant of an account on a repository, for a right that those rows no longer give;
    `credential` are the rows of the credential of the actor's token.
    """

    def __init__(
        self,
        walk: Walk,
        batch: Batch,
        actor: Actor,
        repository: Repository,
        credential: CredentialRows,
    ) -> None:
        self._walk, self._credential, self._actor, self._repository = walk, credential, actor, repository
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
        """Raises NameUnknown if the name no longer means this repository, Denied if the right has ended.

        RepositoryClosed is raised if only the repository's state forbids the action.
        """
        name, namespace = self._name.row, self._namespace.row
        if name is None or name.state != RepositoryState.LIVE or name.repository_id != self._repository.id:
            raise NameUnknown(str(self._repository.name))
        if namespace is None or namespace.state != NamespaceState.LIVE:
            raise NameUnknown(str(self._repository.name))
        is_closed = action in (PUSH, DELETE) and not name.allowed(frozenset({action}), self._actor.account_id)
        is_accepted = holds(self._account, self._actor.epoch) and self._credential.are_valid()
        if not is_accepted:
            raise Denied(str(self._repository.name), action)
        if not self._still_given(action):
            walked = self._walk(self._account.row, self._repository.name)
            if not permits(walked.actions, action) and not walked.state:
                raise Denied(str(self._repository.name), action)
        if is_closed:
            raise RepositoryClosed(str(self._repository.name), name.mode)

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
        """The row of the namespace that is written to."""
        return self._namespace.row

    @property
    def window_s(self) -> int:
        """The namespace's Time Machine window in seconds."""
        return self._namespace.row.window_s if self._namespace.row else 0

    @property
    def is_mirror(self) -> bool:
        """Whether the repository is a mirror, into which only its robot writes."""
        return self._name.row is not None and self._name.row.mode.is_mirror

    @property
    def rules(self) -> list[TagNames]:
        """The immutability rules of the namespace and the repository."""
        rows = self._namespace.row, self._name.row
        return [rule for row in rows if row is not None for rule in from_text(row.immutability)]

"""May this actor do this to that? The one answer.

Reads trust what the actor's token carries, for the minutes it lives. Writes look at the rows again that gave the right,
in the same batch of reads that the write needs anyway, and walk all rights when those rows no longer give it.
"""

from chalicelib.domain.errors import Denied, NameUnknown, Unauthenticated
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANY, DELETE, PULL, PUSH, Actor, Grant, Role, Source
from chalicelib.domain.repositories import Repository, Visibility
from chalicelib.storage import keys
from chalicelib.storage.accounts import AccountRow, AccountStore, NamespaceRow, holds
from chalicelib.storage.repositories import PermissionRow, RepositoryNameRow, RepositoryStore
from chalicelib.storage.table import Batch, get


class Access:
    """Rights on repositories."""

    def __init__(self, accounts: AccountStore, repositories: RepositoryStore) -> None:
        self._accounts, self._repositories = accounts, repositories

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

    def look_again(self, batch: Batch, actor: Actor, repository: Repository) -> "Rights":
        """Asks `batch` for the rows that gave the actor the right to write."""
        return Rights(self, batch, actor, repository)

    def walk(self, account: AccountRow | None, name: RepositoryName) -> Grant:
        """All that an account (None: the anonymous) may do to a repository, from the rows as they are now."""
        pointer = self._accounts.find(name.namespace)
        if pointer is None:
            return Grant(str(name), frozenset())
        row = self._repositories.find(pointer.id, name)
        if row is None:
            owned = account is not None and account.id == pointer.id
            actions = Role.ADMIN.actions if owned else frozenset()
            return Grant(str(name), actions, None, pointer.id if owned else None, Source.OWNER if owned else None)
        source, actions = self._right(account, pointer.id, row)
        return Grant(str(name), actions, row.repository_id, pointer.id, source)

    def _right(
        self, account: AccountRow | None, namespace_id: str, row: RepositoryNameRow
    ) -> tuple[Source | None, frozenset[str]]:
        if account is not None and account.id == namespace_id:
            return Source.OWNER, Role.ADMIN.actions
        permission = get(PermissionRow, keys.permission(row.repository_id, account.id)) if account else None
        if permission:
            return Source.PERMISSION, Role(permission.role).actions
        if row.visibility == Visibility.PUBLIC.value:
            return Source.PUBLIC, Role.READ.actions
        return None, frozenset()


class Rights:
    """The rows behind a write, read with it."""

    def __init__(self, access: Access, batch: Batch, actor: Actor, repository: Repository) -> None:
        self._access, self._actor, self._repository = access, actor, repository
        self._grant = actor.grants[str(repository.name)]
        name_key = keys.repository_name(repository.namespace_id, repository.name.repository)
        self._name = batch.add(RepositoryNameRow, name_key)
        self._namespace = batch.add(NamespaceRow, keys.namespace(repository.namespace_id))
        self._account = batch.add(AccountRow, keys.account(actor.account_id or ""))
        self._permission = (
            batch.add(PermissionRow, keys.permission(repository.id, actor.account_id or ""))
            if self._grant.source is Source.PERMISSION
            else None
        )

    def check(self, action: str = PUSH) -> None:
        """Raises NameUnknown when the repository is no longer this one, Denied when the right is gone."""
        name, namespace = self._name.row, self._namespace.row
        alive = name is not None and name.state == "live" and name.repository_id == self._repository.id
        if not alive or namespace is None or namespace.state != "live":
            raise NameUnknown(str(self._repository.name))
        if not holds(self._account, self._actor.epoch):
            raise Denied(str(self._repository.name), action)
        if not self._still_given(action):
            walked = self._access.walk(self._account.row, self._repository.name)
            if not permits(walked.actions, action):
                raise Denied(str(self._repository.name), action)

    def _still_given(self, action: str) -> bool:
        if self._grant.source is Source.OWNER:
            return self._actor.account_id == self._repository.namespace_id
        row = self._permission.row if self._permission else None
        return row is not None and permits(Role(row.role).actions, action)

    @property
    def window_s(self) -> int:
        """The namespace's Time Machine window in seconds."""
        return self._namespace.row.window_s if self._namespace.row else 0

    @property
    def waits(self) -> set[str]:
        """The kinds of event that someone waits for."""
        return set(self._name.row.waits or ()) if self._name.row else set()


def permits(actions: frozenset[str], action: str) -> bool:
    """Whether granted actions include one; whoever may push may delete."""
    return action in actions or ANY in actions or (action == DELETE and PUSH in actions)

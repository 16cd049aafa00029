"""Creates, shows, changes and deletes organizations, and lists their members."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.emails import parse_email
from chalicelib.domain.errors import NameTaken, ResourceUnknown
from chalicelib.domain.ids import ulid
from chalicelib.domain.names import parse_account, parse_free_account
from chalicelib.domain.permissions import Actor, HolderKind
from chalicelib.domain.quotas import Quota
from chalicelib.domain.scopes import ORG_ADMIN, REPO_CREATE, allows
from chalicelib.domain.states import NamespaceState
from chalicelib.domain.teams import OWNERS, TeamRole
from chalicelib.domain.time_machine import parse_window
from chalicelib.domain.timers import PURGE, SETTLED_S, WINDOW
from chalicelib.services.accounts.teams import TeamView
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.security.access import Access, NamespaceAccess, refusal
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountStore, NamespaceRow
from chalicelib.storage.accounts.permissions import RoleHolder
from chalicelib.storage.accounts.quotas import quota_of
from chalicelib.storage.accounts.teams import MemberRow, TeamRow
from chalicelib.storage.registry.sizes import SizeRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch, Transaction, WriteConflict, retry_on_conflict
from chalicelib.storage.timers import timer

LARGEST_PAGE, LONGEST_NAME = 100, 255


@dataclass(frozen=True, slots=True)
class OrganizationChanges:
    """The changes to an organization; None leaves a field as it is, an empty address removes it."""

    email: str | None = None
    window_s: int | None = None
    invoice_email: bool | None = None
    invoice_email_address: str | None = None


@dataclass(frozen=True, slots=True)
class OrganizationView:
    """An organization as an actor sees it.

    `teams` has the oldest first, and is empty unless the actor is a member; `bytes` is what its repositories link.
    """

    namespace_access: NamespaceAccess
    namespace: NamespaceRow
    teams: Sequence[TeamView]
    bytes: int

    @property
    def quota(self) -> Quota | None:
        """Its quota, None if it has none."""
        return quota_of(self.namespace)


@dataclass(frozen=True, slots=True)
class ListedMembership:
    """An organization as superusers see it."""

    name: str
    email: str | None
    quota: Quota | None


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an organization, with the names of their teams and of the repositories they have a role on."""

    name: str
    kind: AccountKind
    teams: Sequence[str]
    repositories: Sequence[str]


class Organizations:
    """Manages organizations."""

    def __init__(self, access: Access, usage_log: UsageLog, stores: Stores) -> None:
        self._access, self._usage_log, self._store, self._teams = access, usage_log, stores.accounts, stores.teams
        self._permissions, self._repositories, self._clock = stores.permissions, stores.repositories, stores.clock

    def create(self, actor: Actor, name: str, email: str | None = None) -> None:
        """Creates an organization with the actor in its team of owners.

        Raises NameInvalid, FieldInvalid, NameTaken, Unauthenticated, Denied.
        """
        account_id = self._access.require_user(actor)
        (parse_account if actor.is_superuser else parse_free_account)(name)
        address = parse_email(email) if email else None

        def attempt() -> None:
            try:
                self._add(actor, account_id, name, address)
            except WriteConflict:
                check_free(self._store, name)
                if self._store.get(account_id) is None:
                    raise refusal(actor, actor.name, "do this as") from None
                raise

        retry_on_conflict(attempt)

    def _add(self, actor: Actor, account_id: str, name: str, email: str | None) -> None:
        now = self._clock()
        identifier, team_id = ulid(now), ulid(now)
        namespace = NamespaceRow.under(keys.namespace(identifier), name=name, email=email, created_at=int(now))
        team = TeamRow.under(
            keys.team(team_id),
            id=team_id,
            namespace_id=identifier,
            name=OWNERS,
            role=TeamRole.ADMIN,
            created_at=int(now),
        )
        transaction = Transaction()
        self._store.add_organization(transaction, namespace)
        self._store.require_account(transaction, account_id)
        self._teams.add(transaction, team)
        self._teams.join(transaction, team, account_id, actor.name, AccountKind(actor.kind))
        self._usage_log.record_for_namespace(
            actor, transaction, "org_create", identifier, {"email": email, "namespace": name}
        )
        transaction.commit()

    def overview(self, actor: Actor, name: str) -> OrganizationView:
        """Returns an organization for any actor, with its teams for its members. Raises ResourceUnknown."""
        access = _within(self._access.organization(actor, name), actor.scopes)
        batch = Batch()
        namespace = batch.add(NamespaceRow, keys.namespace(access.id))
        sizes = [batch.add(SizeRow, key) for key in keys.namespace_sizes(access.id)]
        batch.read()
        if namespace.row is None:
            raise ResourceUnknown("organization", name)
        teams = sorted(self._teams.of_organization(access.id), key=lambda team: team.id) if access.role else []
        views = [self._view(access, team) for team in teams]
        return OrganizationView(access, namespace.row, views, sum(read.row.bytes for read in sizes if read.row))

    def _view(self, access: NamespaceAccess, team: TeamRow) -> TeamView:
        can_view = access.is_admin or any(own.id == team.id for own in access.teams)
        if not can_view:
            return TeamView(team, can_view)
        roles = self._permissions.roles_of(RoleHolder(team.id, team.name, HolderKind.TEAM))
        return TeamView(team, can_view, len(roles), len(self._teams.members(team.id)))

    def change(self, actor: Actor, name: str, changes: OrganizationChanges) -> OrganizationView:
        """Changes an organization. Raises FieldInvalid, ResourceUnknown, Unauthenticated, Denied."""
        access = self._access.administered(actor, name)
        if changes.email is not None:
            parse_email(changes.email)
        if changes.invoice_email_address:
            parse_email(changes.invoice_email_address, "invoice_email_address")
        if changes.window_s is not None:
            parse_window(changes.window_s)
        retry_on_conflict(lambda: self._change(actor, access, changes))
        return self.overview(actor, name)

    def _change(self, actor: Actor, access: NamespaceAccess, changes: OrganizationChanges) -> None:
        namespace = self._access.live_namespace(access)
        transaction, is_changed = Transaction(), False
        if changes.window_s is not None and changes.window_s < namespace.window_s:
            transaction.put(timer(WINDOW, keys.namespace_target(access.id), int(self._clock())))
        for field, kind, word in (
            ("email", "org_change_email", "email"),
            ("window_s", "org_change_tag_expiration", "tag_expiration"),
            ("invoice_email", "org_change_invoicing", "invoice_email"),
            ("invoice_email_address", "org_change_invoicing", "invoice_email_address"),
        ):
            value = getattr(changes, field)
            if value is not None and (value or None) != (getattr(namespace, field) or None):
                setattr(namespace, field, None if value == "" else value)
                self._usage_log.record_for_namespace(
                    actor, transaction, kind, access.id, {word: value, "namespace": access.name}
                )
                is_changed = True
        if is_changed:
            self._store.put_namespace(transaction, namespace)
            transaction.commit()

    def delete(self, actor: Actor, name: str) -> None:
        """Deletes an organization: at once nobody reaches anything in it, and its name stays taken.

        This is one transaction, however much the organization holds; a timer removes the rest afterwards. Raises
        ResourceUnknown, Unauthenticated, Denied.
        """
        retry_on_conflict(lambda: self._mark_deleted(actor, name, self._access.administered))

    def delete_any(self, actor: Actor, name: str) -> None:
        """Deletes an organization, as a superuser. Raises ResourceUnknown, Unauthenticated, Denied."""
        self._access.superuser(actor)
        retry_on_conflict(lambda: self._mark_deleted(actor, name, self._access.organization))

    def _mark_deleted(self, actor: Actor, name: str, allowed: Callable[[Actor, str], NamespaceAccess]) -> None:
        # The right is read after the version, so that the delete of an owner who is removed meanwhile fails.
        pointer = self._store.find(name)
        namespace = self._store.namespace(pointer.id) if pointer else None
        access, now = allowed(actor, name), self._clock()
        if namespace is None or namespace.state != NamespaceState.LIVE or keys.namespace(access.id) != namespace.key:
            raise ResourceUnknown("organization", name)
        transaction = Transaction()
        self._store.mark_deleted(transaction, namespace, now)
        transaction.put(timer(PURGE, access.id, int(now) + SETTLED_S))
        self._usage_log.record_for_namespace(actor, transaction, "org_delete", access.id, {"namespace": name})
        transaction.commit()

    def everywhere(self, actor: Actor, after: str, size: int) -> tuple[list[ListedMembership], str | None]:
        """Returns a page of all organizations by name after `after`, and the name to continue after, for superusers.

        Raises Unauthenticated, Denied.
        """
        self._access.superuser(actor)
        size = max(1, min(size, LARGEST_PAGE))
        rows = self._store.of_kind(AccountKind.ORGANIZATION, after[:LONGEST_NAME], size + 1)
        following = rows[size - 1].name if len(rows) > size else None
        return [_listed(row) for row in rows[:size] if row.state == NamespaceState.LIVE], following

    def listed(self, actor: Actor, name: str) -> ListedMembership:
        """Returns one organization as superusers see it. Raises ResourceUnknown, Unauthenticated, Denied."""
        self._access.superuser(actor)
        return _listed(self._access.live_namespace(self._access.organization(actor, name)))

    def members(self, actor: Actor, name: str) -> list[Member]:
        """Returns the users in the teams of an organization, by name.

        Raises ResourceUnknown, Unauthenticated, Denied.
        """
        access = self._access.administered(actor, name)
        with_teams: dict[str, tuple[MemberRow, list[str]]] = {}
        for team in self._teams.of_organization(access.id):
            for row in self._teams.members(team.id):
                if row.kind == AccountKind.USER:
                    with_teams.setdefault(row.account_id, (row, []))[1].append(team.name)
        by_account = self._permissions.accounts_in(access.id)
        names = self._names(where for identifier in with_teams for where in by_account.get(identifier, []))
        members = [
            Member(row.name, row.kind, teams, _sorted_names(by_account.get(identifier, []), names))
            for identifier, (row, teams) in with_teams.items()
        ]
        return sorted(members, key=lambda one: one.name)

    def _names(self, repository_ids: Iterator[str]) -> dict[str, str]:
        """Returns the names of live repositories by their ids."""
        rows = self._repositories.get_all(list(dict.fromkeys(repository_ids)))
        return {identifier: row.name for identifier, row in rows.items() if row.is_live}

    def member(self, actor: Actor, name: str, member: str) -> Member:
        """Returns one member. Raises ResourceUnknown, Unauthenticated, Denied."""
        match = next((one for one in self.members(actor, name) if one.name == member), None)
        if match is None:
            raise ResourceUnknown("member", member)
        return match

    def collaborators(self, actor: Actor, name: str) -> list[Member]:
        """Returns the users outside all teams who have a role on some repository, by name.

        Raises ResourceUnknown, Unauthenticated, Denied.
        """
        access = self._access.administered(actor, name)
        inside = self._teams.all_members(access.id)
        by_account = {
            account: where
            for account, where in self._permissions.accounts_in(access.id).items()
            if account not in inside
        }
        outside = [row for row in self._store.get_all(list(by_account)).values() if row.kind == AccountKind.USER]
        names = self._names(where for row in outside for where in by_account[row.id])
        collaborators = [Member(row.name, row.kind, [], _sorted_names(by_account[row.id], names)) for row in outside]
        return sorted((one for one in collaborators if one.repositories), key=lambda one: one.name)


def check_free(store: AccountStore, name: str) -> None:
    """Raises NameTaken if an account has a name, or if the purge of one that had it is not over."""
    holder = store.holder_of(name)
    if holder is not None and holder.deleted_at is not None:
        raise NameTaken(name, "Username is not available")
    if holder is not None:
        raise NameTaken(name, "A user or organization with this name already exists")


def _listed(row: NamespaceRow) -> ListedMembership:
    return ListedMembership(row.name, row.email, quota_of(row))


def _within(access: NamespaceAccess, scopes: frozenset[str] | None) -> NamespaceAccess:
    """Returns a namespace with the role that a token's scopes leave its user."""
    if allows(scopes, ORG_ADMIN) or access.role is None:
        return access
    if not allows(scopes, REPO_CREATE):
        return replace(access, role=None, teams=())
    return replace(access, role=min(access.role, TeamRole.CREATOR, key=lambda role: role.rank))


def _sorted_names(repository_ids: Sequence[str], names: dict[str, str]) -> list[str]:
    return sorted(names[identifier] for identifier in repository_ids if identifier in names)

"""Organizations: made, told, changed, ended; and who belongs to them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.emails import parse_email
from chalicelib.domain.errors import NameTaken, ResourceUnknown
from chalicelib.domain.ids import ulid
from chalicelib.domain.names import parse_account
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
from chalicelib.storage.registry.repositories import SizeRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch, Transaction, WriteConflict, retry_on_conflict
from chalicelib.storage.timers import timer

LARGEST_PAGE, LONGEST_NAME = 100, 255


@dataclass(frozen=True, slots=True)
class OrganizationChanges:
    """What is changed of an organization; None leaves a thing as it is, an empty address takes it away."""

    email: str | None = None
    window_s: int | None = None
    invoice_email: bool | None = None
    invoice_email_address: str | None = None


@dataclass(frozen=True, slots=True)
class OrganizationView:
    """An organization as an actor sees it: teams, the oldest first, for its members; `bytes` its repositories link."""

    place: NamespaceAccess
    namespace: NamespaceRow
    teams: Sequence[TeamView]
    bytes: int

    @property
    def quota(self) -> Quota | None:
        """Its quota, None where it has none."""
        return quota_of(self.namespace)


@dataclass(frozen=True, slots=True)
class ListedMembership:
    """An organization as superusers see it."""

    name: str
    email: str | None
    quota: Quota | None


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who belongs to an organization, by teams or by roles on its repositories, of which these are names."""

    name: str
    kind: AccountKind
    teams: Sequence[str]
    repositories: Sequence[str]


class Organizations:
    """Organizations."""

    def __init__(self, access: Access, usage: UsageLog, stores: Stores) -> None:
        self._access, self._usage, self._store, self._teams = access, usage, stores.accounts, stores.teams
        self._permissions, self._repositories, self._clock = stores.permissions, stores.repositories, stores.clock

    def create(self, actor: Actor, name: str, email: str | None = None) -> None:
        """Makes an organization, with whoever makes it in its team of owners.

        Raises NameInvalid, FieldInvalid, NameTaken, Unauthenticated, Denied.
        """
        account_id = self._access.require_user(actor)
        parse_account(name)
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
        self._usage.note(actor, transaction, "org_create", identifier, {"email": email, "namespace": name})
        transaction.commit()

    def overview(self, actor: Actor, name: str) -> OrganizationView:
        """An organization, whoever asks; its teams for those who are in it. Raises NothingThere."""
        place = _within(self._access.organization(actor, name), actor.scopes)
        batch = Batch()
        namespace = batch.add(NamespaceRow, keys.namespace(place.id))
        sizes = [batch.add(SizeRow, key) for key in keys.namespace_sizes(place.id)]
        batch.read()
        if namespace.row is None:
            raise ResourceUnknown("organization", name)
        teams = sorted(self._teams.of_organization(place.id), key=lambda team: team.id) if place.role else []
        views = [self._view(place, team) for team in teams]
        return OrganizationView(place, namespace.row, views, sum(read.row.bytes for read in sizes if read.row))

    def _view(self, place: NamespaceAccess, team: TeamRow) -> TeamView:
        can_view = place.is_admin or any(held.id == team.id for held in place.teams)
        if not can_view:
            return TeamView(team, can_view)
        given = self._permissions.roles_of(RoleHolder(team.id, team.name, HolderKind.TEAM))
        return TeamView(team, can_view, len(given), len(self._teams.members(team.id)))

    def change(self, actor: Actor, name: str, wishes: OrganizationChanges) -> OrganizationView:
        """Changes an organization. Raises FieldInvalid, NothingThere, Unauthenticated, Denied."""
        place = self._access.administered(actor, name)
        if wishes.email is not None:
            parse_email(wishes.email)
        if wishes.invoice_email_address:
            parse_email(wishes.invoice_email_address, "invoice_email_address")
        if wishes.window_s is not None:
            parse_window(wishes.window_s)
        retry_on_conflict(lambda: self._change(actor, place, wishes))
        return self.overview(actor, name)

    def _change(self, actor: Actor, place: NamespaceAccess, wishes: OrganizationChanges) -> None:
        namespace = self._live(place)
        transaction, is_other = Transaction(), False
        if wishes.window_s is not None and wishes.window_s < namespace.window_s:
            transaction.put(timer(WINDOW, keys.namespace_target(place.id), int(self._clock())))
        for field, kind, word in (
            ("email", "org_change_email", "email"),
            ("window_s", "org_change_tag_expiration", "tag_expiration"),
            ("invoice_email", "org_change_invoicing", "invoice_email"),
            ("invoice_email_address", "org_change_invoicing", "invoice_email_address"),
        ):
            value = getattr(wishes, field)
            if value is not None and (value or None) != (getattr(namespace, field) or None):
                setattr(namespace, field, None if value == "" else value)
                self._usage.note(actor, transaction, kind, place.id, {word: value, "namespace": place.name})
                is_other = True
        if is_other:
            self._store.put_namespace(transaction, namespace)
            transaction.commit()

    def _live(self, place: NamespaceAccess) -> NamespaceRow:
        namespace = self._store.namespace(place.id)
        if namespace is None or namespace.state != NamespaceState.LIVE:
            raise ResourceUnknown("organization", place.name)
        return namespace

    def delete(self, actor: Actor, name: str) -> None:
        """Ends an organization: from then on nobody reaches anything in it, and its name stays taken.

        One transaction, however much there is; a timer stands for what is to be removed behind it. Raises NothingThere,
        Unauthenticated, Denied.
        """
        retry_on_conflict(lambda: self._mark_deleted(actor, name, self._access.administered))

    def delete_any(self, actor: Actor, name: str) -> None:
        """Ends an organization, as a superuser. Raises NothingThere, Unauthenticated, Denied."""
        self._access.superuser(actor)
        retry_on_conflict(lambda: self._mark_deleted(actor, name, self._access.organization))

    def _mark_deleted(self, actor: Actor, name: str, allowed: Callable[[Actor, str], NamespaceAccess]) -> None:
        # The right is read after the version, so that an owner who is removed meanwhile loses.
        pointer = self._store.find(name)
        namespace = self._store.namespace(pointer.id) if pointer else None
        place, now = allowed(actor, name), self._clock()
        if namespace is None or namespace.state != NamespaceState.LIVE or keys.namespace(place.id) != namespace.key:
            raise ResourceUnknown("organization", name)
        transaction = Transaction()
        self._store.mark_deleted(transaction, namespace, now)
        transaction.put(timer(PURGE, place.id, int(now) + SETTLED_S))
        self._usage.note(actor, transaction, "org_delete", place.id, {"namespace": name})
        transaction.commit()

    def everywhere(self, actor: Actor, after: str, size: int) -> tuple[list[ListedMembership], str | None]:
        """A page of all organizations by name, past `after`, for superusers; and what the next page begins past.

        Raises Unauthenticated, Denied.
        """
        self._access.superuser(actor)
        size = max(1, min(size, LARGEST_PAGE))
        found = self._store.of_kind(AccountKind.ORGANIZATION, after[:LONGEST_NAME], size + 1)
        following = found[size - 1].name if len(found) > size else None
        return [_listed(row) for row in found[:size] if row.state == NamespaceState.LIVE], following

    def listed(self, actor: Actor, name: str) -> ListedMembership:
        """One of them. Raises NothingThere, Unauthenticated, Denied."""
        self._access.superuser(actor)
        return _listed(self._live(self._access.organization(actor, name)))

    def members(self, actor: Actor, name: str) -> list[Member]:
        """Users in the teams of an organization, by name. Raises NothingThere, Unauthenticated, Denied."""
        place = self._access.administered(actor, name)
        found: dict[str, tuple[MemberRow, list[str]]] = {}
        for team in self._teams.of_organization(place.id):
            for row in self._teams.members(team.id):
                if row.kind == AccountKind.USER:
                    found.setdefault(row.account_id, (row, []))[1].append(team.name)
        given = self._permissions.accounts_in(place.id)
        named = self._names(where for identifier in found for where in given.get(identifier, []))
        members = [
            Member(row.name, row.kind, teams, _sorted_names(given.get(identifier, []), named))
            for identifier, (row, teams) in found.items()
        ]
        return sorted(members, key=lambda one: one.name)

    def _names(self, repository_ids: Iterator[str]) -> dict[str, str]:
        """Names of repositories, those that are there."""
        rows = self._repositories.get_all(list(dict.fromkeys(repository_ids)))
        return {identifier: row.name for identifier, row in rows.items() if row.is_live}

    def member(self, actor: Actor, name: str, member: str) -> Member:
        """One of the members. Raises NothingThere, Unauthenticated, Denied."""
        found = next((one for one in self.members(actor, name) if one.name == member), None)
        if found is None:
            raise ResourceUnknown("member", member)
        return found

    def collaborators(self, actor: Actor, name: str) -> list[Member]:
        """Users outside of the teams who have a role on some repository, by name.

        Raises NothingThere, Unauthenticated, Denied.
        """
        place = self._access.administered(actor, name)
        inside = self._teams.all_members(place.id)
        given = {
            account: where
            for account, where in self._permissions.accounts_in(place.id).items()
            if account not in inside
        }
        outside = [row for row in self._store.get_all(list(given)).values() if row.kind == AccountKind.USER]
        named = self._names(where for row in outside for where in given[row.id])
        found = [Member(row.name, row.kind, [], _sorted_names(given[row.id], named)) for row in outside]
        return sorted((one for one in found if one.repositories), key=lambda one: one.name)


def check_free(store: AccountStore, name: str) -> None:
    """Raises NameTaken when an account has a name, or one had it whose purge is not over."""
    holder = store.holder_of(name)
    if holder is not None and holder.deleted_at is not None:
        raise NameTaken(name, "Username is not available")
    if holder is not None:
        raise NameTaken(name, "A user or organization with this name already exists")


def _listed(row: NamespaceRow) -> ListedMembership:
    return ListedMembership(row.name, row.email, quota_of(row))


def _within(place: NamespaceAccess, scopes: frozenset[str] | None) -> NamespaceAccess:
    """A place as a token with such scopes lets its user stand in it."""
    if allows(scopes, ORG_ADMIN) or place.role is None:
        return place
    if not allows(scopes, REPO_CREATE):
        return replace(place, role=None, teams=())
    return replace(place, role=min(place.role, TeamRole.CREATOR, key=lambda role: role.rank))


def _sorted_names(repository_ids: Sequence[str], named: dict[str, str]) -> list[str]:
    return sorted(named[identifier] for identifier in repository_ids if identifier in named)

"""Organizations: made, told, changed, ended; and who belongs to them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chalicelib.domain.accounts import Kind
from chalicelib.domain.emails import parse_email
from chalicelib.domain.errors import NameTaken, NothingThere
from chalicelib.domain.ids import ulid
from chalicelib.domain.names import parse_account
from chalicelib.domain.permissions import Actor
from chalicelib.domain.teams import OWNERS, TeamRole
from chalicelib.domain.timers import PURGE
from chalicelib.domain.windows import parse_window
from chalicelib.services.access import Access, Place
from chalicelib.services.usage import Usage
from chalicelib.storage import keys
from chalicelib.storage.accounts import AccountStore, NamespaceRow
from chalicelib.storage.permissions import TEAM, Holder, PermissionStore
from chalicelib.storage.repositories import RepositoryStore, SizeRow
from chalicelib.storage.table import Batch, LostRace, Transaction, until_won
from chalicelib.storage.teams import MemberRow, TeamRow, TeamStore
from chalicelib.storage.timers import timer


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is changed of an organization; None leaves a thing as it is."""

    email: str | None = None
    window_s: int | None = None
    invoice_email: bool | None = None
    invoice_email_address: str | None = None


@dataclass(frozen=True, slots=True)
class TeamView:
    """A team with how many repositories it has a role on and how many members, where the actor may know that."""

    team: TeamRow
    can_view: bool
    repositories: int = 0
    members: int = 0


@dataclass(frozen=True, slots=True)
class Overview:
    """An organization as an actor sees it: teams for its members, `bytes` that its repositories link."""

    place: Place
    namespace: NamespaceRow
    teams: Sequence[TeamView]
    bytes: int


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who belongs to an organization, by teams or by roles on its repositories, of which these are names."""

    name: str
    kind: str
    teams: Sequence[str]
    repositories: Sequence[str]


class Organizations:
    """Organizations."""

    def __init__(
        self,
        access: Access,
        usage: Usage,
        store: AccountStore,
        teams: TeamStore,
        permissions: PermissionStore,
        repositories: RepositoryStore,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._access, self._usage, self._store, self._teams = access, usage, store, teams
        self._permissions, self._repositories, self._clock = permissions, repositories, clock

    def create(self, actor: Actor, name: str, email: str | None = None) -> None:
        """Makes an organization, with whoever makes it in its team of owners.

        Raises NameInvalid, FieldInvalid, NameTaken, Unauthenticated, Denied.
        """
        account_id, now = self._access.oneself(actor), self._clock()
        identifier = ulid(now)
        namespace = NamespaceRow.under(
            keys.namespace(identifier),
            name=parse_account(name),
            email=parse_email(email) if email else None,
            created_at=int(now),
        )
        team_id = ulid(now)
        team = TeamRow.under(
            keys.team(team_id),
            id=team_id,
            namespace_id=identifier,
            name=OWNERS,
            role=TeamRole.ADMIN.value,
            created_at=int(now),
        )
        transaction = Transaction()
        self._store.add_organization(transaction, namespace)
        self._teams.add(transaction, team)
        self._teams.join(transaction, team, account_id, actor.name, actor.kind)
        self._usage.note(actor, transaction, "org_create", identifier, {"email": email, "namespace": name})
        try:
            transaction.commit()
        except LostRace:
            raise NameTaken(name) from None

    def overview(self, actor: Actor, name: str) -> Overview:
        """An organization, whoever asks; its teams for those who are in it. Raises NothingThere."""
        place = self._access.organization(actor, name)
        batch = Batch()
        namespace = batch.add(NamespaceRow, keys.namespace(place.id))
        sizes = [batch.add(SizeRow, key) for key in keys.namespace_sizes(place.id)]
        batch.read()
        if namespace.row is None:
            raise NothingThere("organization", name)
        teams = self._teams.of_organization(place.id) if place.role else []
        views = [self._view(place, team) for team in teams]
        return Overview(place, namespace.row, views, sum(read.row.bytes for read in sizes if read.row))

    def _view(self, place: Place, team: TeamRow) -> TeamView:
        can_view = place.is_admin or any(held.id == team.id for held in place.teams)
        if not can_view:
            return TeamView(team, can_view)
        given = self._permissions.held(Holder(team.id, team.name, TEAM))
        return TeamView(team, can_view, len(given), len(self._teams.members(team.id)))

    def change(self, actor: Actor, name: str, wishes: Wishes) -> Overview:
        """Changes an organization. Raises FieldInvalid, NothingThere, Unauthenticated, Denied."""
        place = self._access.administered(actor, name)
        if wishes.email is not None:
            parse_email(wishes.email)
        if wishes.window_s is not None:
            parse_window(wishes.window_s)
        until_won(lambda: self._change(actor, place, wishes))
        return self.overview(actor, name)

    def _change(self, actor: Actor, place: Place, wishes: Wishes) -> None:
        namespace = self._store.namespace(place.id)
        if namespace is None:
            raise NothingThere("organization", place.name)
        transaction = Transaction()
        for field, kind, word in (
            ("email", "org_change_email", "email"),
            ("window_s", "org_change_tag_expiration", "tag_expiration"),
            ("invoice_email", "org_change_invoicing", "invoice_email"),
            ("invoice_email_address", "org_change_invoicing", "invoice_email_address"),
        ):
            value = getattr(wishes, field)
            if value is not None and value != getattr(namespace, field):
                setattr(namespace, field, value)
                self._usage.note(actor, transaction, kind, place.id, {word: value, "namespace": place.name})
        self._store.put_namespace(transaction, namespace)
        transaction.commit()

    def delete(self, actor: Actor, name: str) -> None:
        """Ends an organization: from then on nobody reaches anything in it, and its name stays taken.

        One transaction, however much there is; a timer stands for what is to be removed behind it. Raises NothingThere,
        Unauthenticated, Denied.
        """
        place = self._access.administered(actor, name)

        def attempt() -> None:
            namespace = self._store.namespace(place.id)
            if namespace is None or namespace.state != "live":
                raise NothingThere("organization", name)
            transaction, now = Transaction(), self._clock()
            self._store.bury(transaction, namespace, now)
            transaction.put(timer(PURGE, place.id, int(now)))
            self._usage.note(actor, transaction, "org_delete", place.id, {"namespace": name})
            transaction.commit()

        until_won(attempt)

    def members(self, actor: Actor, name: str) -> list[Member]:
        """Users in the teams of an organization, by name. Raises NothingThere, Unauthenticated, Denied."""
        place = self._access.administered(actor, name)
        found: dict[str, tuple[MemberRow, list[str]]] = {}
        for team in self._teams.of_organization(place.id):
            for row in self._teams.members(team.id):
                if row.kind == Kind.USER.value:
                    found.setdefault(row.account_id, (row, []))[1].append(team.name)
        given = self._permissions.accounts_in(place.id)
        named = self._names([where for identifier in found for where in given.get(identifier, [])])
        members = [
            Member(row.name, row.kind, teams, [named[where] for where in given.get(identifier, []) if where in named])
            for identifier, (row, teams) in found.items()
        ]
        return sorted(members, key=lambda one: one.name)

    def _names(self, repository_ids: list[str]) -> dict[str, str]:
        """Names of repositories, those that are there."""
        return {identifier: row.name for identifier, row in self._repositories.get_all(repository_ids).items()}

    def member(self, actor: Actor, name: str, member: str) -> Member:
        """One of the members. Raises NothingThere, Unauthenticated, Denied."""
        found = next((one for one in self.members(actor, name) if one.name == member), None)
        if found is None:
            raise NothingThere("member", member)
        return found

    def collaborators(self, actor: Actor, name: str) -> list[Member]:
        """Users outside of the teams who have a role on some repository. Raises NothingThere, Denied."""
        place = self._access.administered(actor, name)
        given = self._permissions.accounts_in(place.id)
        accounts = self._store.get_all(list(given))
        users = [row for row in accounts.values() if row.kind == Kind.USER.value]
        outside = [row for row in users if not self._teams.get_all(self._teams.of_account(row.id, place.id))]
        named = self._names([where for row in outside for where in given[row.id]])
        found = [
            Member(row.name, row.kind, [], sorted(named[where] for where in given[row.id] if where in named))
            for row in outside
        ]
        return sorted(found, key=lambda one: one.name)

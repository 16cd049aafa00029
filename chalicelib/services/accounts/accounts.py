"""Creates, changes and shows the accounts of users."""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain.accounts import Account, AccountKind
from chalicelib.domain.emails import parse_any_email, parse_email
from chalicelib.domain.errors import AccountUnknown, AlreadyInitialized, Denied, FieldInvalid, NameTaken, SignUpClosed
from chalicelib.domain.ids import ulid
from chalicelib.domain.names import parse_account, parse_free_account
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import USER_READ
from chalicelib.domain.states import NamespaceState
from chalicelib.domain.time_machine import parse_window
from chalicelib.domain.timers import WINDOW
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.security.access import Access, NamespaceAccess
from chalicelib.services.security.passwords import check_password, hash_password
from chalicelib.services.security.throttles import Throttles
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountRow, NamespaceRow
from chalicelib.storage.accounts.teams import TeamRow
from chalicelib.storage.registry.sizes import SizeRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch, Transaction, WriteConflict, retry_on_conflict
from chalicelib.storage.timers import timer


@dataclass(frozen=True, slots=True)
class UserChanges:
    """The changes of a user to their own account; None leaves a field as it is."""

    password: str | None = None
    email: str | None = None
    window_s: int | None = None
    invoice_email: bool | None = None
    invoice_email_address: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    company: str | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A user as they see themselves. `bytes` is the size of all blobs that their repositories link."""

    account: AccountRow
    namespace: NamespaceRow
    organizations: Sequence[NamespaceAccess]
    bytes: int


class Accounts:
    """Creates, finds and changes users."""

    def __init__(self, access: Access, usage_log: UsageLog, stores: Stores, throttles: Throttles) -> None:
        self._access, self._usage_log, self._store, self._clock = access, usage_log, stores.accounts, stores.clock
        self._throttles, self._sign_up = throttles, stores.settings.sign_up

    def create_user(
        self, name: str, password: str, email: str | None = None, *, first: bool = False, by: Actor | None = None
    ) -> Account:
        """Creates a user with a namespace; `by` is who creates them, None for the user themselves.

        The `first` user is a superuser, and can be created only once. Raises NameInvalid, FieldInvalid, NameTaken,
        AlreadyInitialized.
        """
        check_password(password)
        now = self._clock()
        identifier = ulid(now)
        row = AccountRow.under(
            keys.account(identifier),
            id=identifier,
            name=parse_account(name),
            kind=AccountKind.USER,
            superuser=first,
            password_hash=hash_password(password),
            email=parse_any_email(email) if email else None,
            created_at=int(now),
        )
        retry_on_conflict(lambda: self._create(by or _performer(row), row, first))
        return row.to_account()

    def _create(self, actor: Actor, row: AccountRow, first: bool) -> None:
        transaction = Transaction()
        self._store.add_user(transaction, row, first)
        self._usage_log.record_for_namespace(actor, transaction, "user_create", row.id, {"username": row.name})
        try:
            transaction.commit()
        except WriteConflict:
            self._check_free(row, first)
            raise

    def _check_free(self, row: AccountRow, first: bool) -> None:
        """Raises the error for what prevents a new user; without one, the conflict is retried."""
        holder = self._store.holder_of(row.name)
        if holder is not None and holder.id != row.id:
            is_gone = holder.deleted_at is not None
            raise NameTaken(row.name, "Username is not available" if is_gone else "The username already exists")
        if first and self._store.has_first_user():
            raise AlreadyInitialized
        if row.email and self._store.by_email(row.email) not in (None, row.id):
            raise FieldInvalid("email", "this e-mail address is used by another account")

    def has_first_user(self) -> bool:
        """Whether the first superuser exists."""
        return self._store.has_first_user()

    def find(self, name: str) -> AccountRow:
        """Returns an account by its name. Raises AccountUnknown."""
        pointer = self._store.find(name)
        row = self._store.get(pointer.id) if pointer else None
        if row is None:
            raise AccountUnknown(name)
        return row

    def sign_up(self, name: str, password: str, email: str | None, address: str = "") -> AccountRow:
        """Creates a user who signs up from an address, never a superuser.

        Raises SignUpClosed, TooManyAttempts, NameInvalid, FieldInvalid, NameTaken.
        """
        if self._sign_up != "open":
            raise SignUpClosed
        self._throttles.count_sign_up(address)
        parse_free_account(name)
        account = self.create_user(name, password, email)
        return self.find(account.name)

    def public_name(self, name: str) -> str:
        """Returns the name of a user, for any caller. Raises AccountUnknown, also for robots and organizations."""
        pointer = self._store.find(name)
        if pointer is None or pointer.kind != AccountKind.USER:
            raise AccountUnknown(name)
        return name

    def profile(self, actor: Actor) -> Profile:
        """Returns the actor's own profile with one query and one batch. Raises Unauthenticated, Denied."""
        identifier = self._access.require_user(actor, USER_READ)
        account, memberships = self._store.with_memberships(identifier)
        batch = Batch()
        own = batch.add(NamespaceRow, keys.namespace(identifier))
        ids = {row.namespace_id for row in memberships}
        namespaces = {known: batch.add(NamespaceRow, keys.namespace(known)) for known in ids}
        teams = [batch.add(TeamRow, keys.team(row.team_id)) for row in memberships]
        sizes = [batch.add(SizeRow, key) for key in keys.namespace_sizes(identifier)]
        batch.read()
        if account is None or own.row is None:
            raise AccountUnknown(actor.name)
        rows = [read.row for read in namespaces.values() if read.row and read.row.state == NamespaceState.LIVE]
        places = [_namespace_access(row, [read.row for read in teams if read.row]) for row in rows]
        organizations = sorted((access for access in places if access.teams), key=lambda access: access.name)
        return Profile(account, own.row, organizations, sum(read.row.bytes for read in sizes if read.row))

    def change(self, actor: Actor, changes: UserChanges) -> AccountRow:
        """Changes the actor's own account; password and e-mail address need a session, not a token.

        A new password ends every session and token. Raises FieldInvalid, Unauthenticated, Denied.
        """
        identifier = self._access.require_user(actor)
        if (changes.password is not None or changes.email is not None) and not actor.is_session:
            raise Denied(actor.name, "change password or e-mail address of")
        hashed = None
        if changes.password is not None:
            check_password(changes.password)
            hashed = hash_password(changes.password)
        if changes.email is not None:
            parse_any_email(changes.email)
        if changes.invoice_email_address:
            parse_email(changes.invoice_email_address, "invoice_email_address")
        if changes.window_s is not None:
            parse_window(changes.window_s)
        return retry_on_conflict(lambda: self._change(actor, identifier, changes, hashed))

    def reset_password(self, name: str, password: str) -> None:
        """Gives a user a new password without the old one, for the operator of the installation; ends every session.

        Raises AccountUnknown, FieldInvalid.
        """
        row = self.find(name)
        if row.kind != AccountKind.USER:
            raise AccountUnknown(name)
        self.change(Actor(row.id, row.name, is_session=True), UserChanges(password=password))

    def _change(self, actor: Actor, identifier: str, changes: UserChanges, hashed: str | None) -> AccountRow:
        row, namespace = self._store.get(identifier), self._store.namespace(identifier)
        if row is None or namespace is None:
            raise AccountUnknown(actor.name)
        transaction, version, before = Transaction(), row.version, row.email
        for field in ("given_name", "family_name", "company", "location"):
            if getattr(changes, field) is not None:
                setattr(row, field, getattr(changes, field))
        if hashed is not None:
            row.password_hash, row.epoch = hashed, row.epoch + 1
            self._usage_log.record_for_namespace(actor, transaction, "account_change_password", identifier, {})
        if changes.email is not None and changes.email != before:
            if self._store.by_email(changes.email) not in (None, identifier):
                raise FieldInvalid("email", "this e-mail address is used by another account")
            row.email = changes.email
            self._store.move_email(transaction, identifier, before, changes.email)
            addresses = {"old_email": before, "email": changes.email}
            self._usage_log.record_for_namespace(actor, transaction, "user_change_email", identifier, addresses)
        self._store.put_account(transaction, row, version)
        if changes.window_s is not None and changes.window_s < namespace.window_s:
            transaction.put(timer(WINDOW, keys.namespace_target(identifier), int(self._clock())))
        if self._change_namespace(namespace, changes):
            self._store.put_namespace(transaction, namespace)
        if changes.window_s is not None:
            metadata = {"tag_expiration": changes.window_s}
            self._usage_log.record_for_namespace(actor, transaction, "user_change_tag_expiration", identifier, metadata)
        transaction.commit()
        return row

    def _change_namespace(self, namespace: NamespaceRow, changes: UserChanges) -> bool:
        fields: dict[str, object] = {
            "window_s": changes.window_s,
            "invoice_email": changes.invoice_email,
            "invoice_email_address": changes.invoice_email_address,
        }
        for field, value in fields.items():
            if value is not None:
                setattr(namespace, field, value)
        return any(value is not None for value in fields.values())


def _performer(row: AccountRow) -> Actor:
    """Returns the actor for a user who signs up."""
    return Actor(row.id, row.name)


def _namespace_access(namespace: NamespaceRow, teams: Sequence[TeamRow]) -> NamespaceAccess:
    """Returns an organization with the role of a member of some teams."""
    identifier = keys.namespace_id(namespace.pk)
    in_organization = tuple(team for team in teams if team.namespace_id == identifier)
    role = max((team.role for team in in_organization), key=lambda one: one.rank, default=None)
    return NamespaceAccess(identifier, namespace.name, AccountKind.ORGANIZATION, role, in_organization)

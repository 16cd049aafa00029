"""Lets superusers list, create and change the accounts of others.

A password that a superuser sets ends all sessions and tokens of the user, notifies them, and is recorded in their
own log. A superuser is changed by another only in one way: they can take the role.
"""

import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain.accounts import AccountKind, AccountRole
from chalicelib.domain.emails import parse_any_email
from chalicelib.domain.errors import AccountUnknown, Denied, FieldInvalid, SuperuserKept
from chalicelib.domain.events import ROLE_CHANGED
from chalicelib.domain.permissions import Actor
from chalicelib.domain.user_notifications import EMAIL_SET, PASSWORD_SET, ROLE_SET
from chalicelib.services.accounts.accounts import Accounts
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.security.access import Access
from chalicelib.services.security.passwords import check_password, hash_password
from chalicelib.services.security.sealing import SealedEpochs
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, retry_on_conflict

LARGEST_PAGE, LONGEST_NAME = 100, 255
ALPHABET, PASSWORD_LENGTH = string.ascii_letters + string.digits, 32


@dataclass(frozen=True, slots=True)
class UserView:
    """A user as superusers see them."""

    name: str
    email: str | None
    role: AccountRole
    is_enabled: bool


@dataclass(frozen=True, slots=True)
class NewUser:
    """A new user with their password, which is not shown again, and a client key."""

    name: str
    email: str | None
    password: str
    client_key: str


@dataclass(frozen=True, slots=True)
class UserPage:
    """A page of users by name; the next page begins after the name `following`, None on the last page."""

    users: Sequence[UserView]
    following: str | None


@dataclass(frozen=True, slots=True)
class SuperuserChanges:
    """The changes of a superuser to a user; None leaves a field as it is."""

    password: str | None = None
    email: str | None = None
    enabled: bool | None = None


class Superusers:
    """Manages the accounts of others, for superusers."""

    def __init__(
        self, access: Access, usage_log: UsageLog, stores: Stores, accounts: Accounts, epochs: SealedEpochs
    ) -> None:
        self._access, self._usage_log, self._accounts, self._epochs = access, usage_log, accounts, epochs
        self._store, self._notifications, self._clock = stores.accounts, stores.user_notifications, stores.clock

    def users(self, actor: Actor, after: str, size: int, *, with_disabled: bool = True) -> UserPage:
        """Returns a page of users by name after `after`. Raises Unauthenticated, Denied."""
        self._access.superuser(actor)
        size = max(1, min(size, LARGEST_PAGE))
        namespaces = self._store.of_kind(AccountKind.USER, after[:LONGEST_NAME], size + 1)
        rows = self._store.get_all([keys.namespace_id(row.pk) for row in namespaces[:size]])
        users = [_user_view(row) for row in rows.values() if row.enabled or with_disabled]
        following = namespaces[size - 1].name if len(namespaces) > size else None
        return UserPage(users, following)

    def user(self, actor: Actor, name: str) -> UserView:
        """Returns a user by name. Raises AccountUnknown, Unauthenticated, Denied."""
        self._access.superuser(actor)
        return _user_view(self._require_user(name))

    def _require_user(self, name: str) -> AccountRow:
        row = self._accounts.find(name)
        if row.kind != AccountKind.USER:
            raise AccountUnknown(name)
        return row

    def create(self, actor: Actor, name: str, email: str | None) -> NewUser:
        """Creates a user with a random password.

        Raises NameInvalid, FieldInvalid, NameTaken, Unauthenticated, Denied.
        """
        self._access.superuser(actor)
        password = "".join(secrets.choice(ALPHABET) for _ in range(PASSWORD_LENGTH))
        account = self._accounts.create_user(name, password, email, by=actor)
        row = self._require_user(account.name)
        return NewUser(row.name, row.email, password, self._epochs.seal(row.id, row.epoch))

    def change(self, actor: Actor, name: str, changes: SuperuserChanges) -> UserView:
        """Changes a user. Raises AccountUnknown, SuperuserKept, FieldInvalid, Unauthenticated, Denied."""
        self._access.superuser(actor)
        if changes.email is not None:
            parse_any_email(changes.email)
        self._require_changeable(name)
        hashed = None
        if changes.password is not None:
            check_password(changes.password)
            hashed = hash_password(changes.password)
        return _user_view(retry_on_conflict(lambda: self._change(actor, name, changes, hashed)))

    def _require_changeable(self, name: str) -> AccountRow:
        row = self._require_user(name)
        if row.superuser:
            raise SuperuserKept("update")
        return row

    def _change(self, actor: Actor, name: str, changes: SuperuserChanges, hashed: str | None) -> AccountRow:
        row = self._require_changeable(name)
        transaction, version, is_changed = Transaction(), row.version, False
        metadata = {"username": row.name, "superuser": actor.name}
        if hashed is not None:
            row.password_hash, row.epoch, is_changed = hashed, row.epoch + 1, True
            self._notifications.add(transaction, row.id, PASSWORD_SET, {"by": actor.name}, self._clock())
            self._usage_log.record_for_namespace(actor, transaction, "user_change_password", row.id, metadata)
        if changes.email is not None and changes.email != row.email:
            self._move_email(actor, transaction, row, changes.email)
            is_changed = True
        if changes.enabled is not None and changes.enabled != row.enabled:
            # A user who is enabled again has to sign in again.
            row.enabled, row.epoch, is_changed = changes.enabled, row.epoch + (not changes.enabled), True
            kind = "user_enable" if changes.enabled else "user_disable"
            self._usage_log.record_for_namespace(actor, transaction, kind, row.id, metadata)
        if is_changed:
            self._store.put_account(transaction, row, version)
            transaction.commit()
        return row

    def change_role(self, actor: Actor, name: str, role: AccountRole) -> UserView:
        """Gives another user a role, which ends all sessions and tokens of theirs. It needs a session, not a token.

        As the transaction requires that the actor is still a superuser, one superuser always remains. Raises
        AccountUnknown, FieldInvalid, Unauthenticated, Denied.
        """
        self._access.superuser(actor)
        if not actor.is_session:
            raise Denied(name, "change the role of")
        return _user_view(retry_on_conflict(lambda: self._change_role(actor, name, role)))

    def _change_role(self, actor: Actor, name: str, role: AccountRole) -> AccountRow:
        own, row = self._store.get(self._access.superuser(actor)), self._require_user(name)
        if own is None or not own.superuser:
            raise Denied(name, "change the role of")
        if row.id == own.id:
            raise FieldInvalid("username", "nobody changes their own role: another superuser can")
        if not row.enabled and role is not AccountRole.USER:
            raise FieldInvalid("username", f"{name} is disabled: enable the user first")
        if row.role is role:
            return row
        transaction, version, before = Transaction(), row.version, row.role
        row.give_role(role)
        self._store.require_superuser(transaction, own.id)
        self._store.put_account(transaction, row, version)
        metadata = {"username": row.name, "superuser": actor.name, "old_role": before, "role": role}
        self._notifications.add(transaction, row.id, ROLE_SET, {"by": actor.name, "role": role}, self._clock())
        self._usage_log.record_for_namespace(actor, transaction, ROLE_CHANGED, row.id, metadata)
        transaction.commit()
        return row

    def _move_email(self, actor: Actor, transaction: Transaction, row: AccountRow, email: str) -> None:
        if self._store.by_email(email) not in (None, row.id):
            raise FieldInvalid("email", "this e-mail address is used by another account")
        self._store.move_email(transaction, row.id, row.email, email)
        metadata = {"username": row.name, "superuser": actor.name, "old_email": row.email, "email": email}
        row.email = email
        self._notifications.add(transaction, row.id, EMAIL_SET, {"by": actor.name, "email": email}, self._clock())
        self._usage_log.record_for_namespace(actor, transaction, "user_change_email", row.id, metadata)


def _user_view(row: AccountRow) -> UserView:
    return UserView(row.name, row.email, row.role, row.enabled)

"""Accounts, robots and random tokens as they are kept."""

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from chalicelib.domain.accounts import Account, Kind
from chalicelib.domain.names import MAXIMUM_LENGTH
from chalicelib.storage import keys
from chalicelib.storage.attributes import Integer, OptionalBytes, OptionalInteger, OptionalText
from chalicelib.storage.table import Read, Row, Transaction, absent, get


class AccountNameRow(Row):
    """A name, pointing to an account or namespace; a tombstone stays while the purge walks."""

    id = UnicodeAttribute()
    kind = UnicodeAttribute()
    deleted_at = OptionalInteger()


class NamespaceRow(Row):
    """A user's or organization's namespace."""

    name = UnicodeAttribute()
    kind = UnicodeAttribute()
    state = UnicodeAttribute(default="live")
    # The Time Machine's window in seconds: how long a dead tag can be restored.
    window_s = Integer(default=14 * 86400)
    version = Integer(default=0)
    view = UnicodeAttribute()
    view_at = UnicodeAttribute()


class AccountRow(Row):
    """A user or robot."""

    id = UnicodeAttribute()
    name = UnicodeAttribute()
    kind = UnicodeAttribute()
    enabled = BooleanAttribute(default=True)
    # Raised by whatever ends all that was derived from the account: a new password, "revoke all".
    epoch = Integer(default=0)
    superuser = BooleanAttribute(default=False)
    password_hash = OptionalText()
    created_at = Integer()

    def to_account(self) -> Account:
        """The account in the domain's words."""
        return Account(self.id, self.name, Kind(self.kind), self.enabled, self.epoch, self.superuser)


class RobotRow(Row):
    """A robot of a namespace, with its token sealed."""

    account_id = UnicodeAttribute()
    sealed_token = OptionalBytes()
    key_id = UnicodeAttribute()


class TokenRow(Row):
    """A random token, found by the hash of its secret."""

    kind = UnicodeAttribute()
    owner_id = UnicodeAttribute()
    uuid = UnicodeAttribute()
    epoch = Integer()
    expires_at = OptionalInteger()


class FirstUserRow(Row):
    """That the first superuser has been made."""

    account_id = UnicodeAttribute()


class AccountStore:
    """Accounts in the table."""

    def find(self, name: str) -> AccountNameRow | None:
        """The row a live name points with."""
        row = get(AccountNameRow, keys.account_name(name)) if len(name) <= MAXIMUM_LENGTH and name.isascii() else None
        return row if row and row.deleted_at is None else None

    def get(self, account_id: str) -> AccountRow | None:
        """An account by its id."""
        return get(AccountRow, keys.account(account_id))

    def namespace(self, namespace_id: str) -> NamespaceRow | None:
        """A namespace by its id."""
        return get(NamespaceRow, keys.namespace(namespace_id))

    def find_token(self, sha256: str) -> TokenRow | None:
        """A random token by its hash."""
        return get(TokenRow, keys.token(sha256))

    def add_user(self, account: AccountRow, first: bool) -> None:
        """Writes a user with name and namespace of one id. Raises LostRace when the name or the first user is there."""
        kind = Kind.USER.value
        namespace = NamespaceRow.under(
            keys.namespace(account.id),
            name=account.name,
            kind=kind,
            view=keys.view_accounts(kind),
            view_at=account.name,
        )
        transaction = Transaction()
        transaction.put(AccountNameRow.under(keys.account_name(account.name), id=account.id, kind=kind), absent())
        transaction.put(namespace)
        transaction.put(account)
        if first:
            transaction.put(FirstUserRow.under(keys.first_user(), account_id=account.id), absent())
        transaction.commit()

    def has_first_user(self) -> bool:
        """Whether the first superuser has been made."""
        return get(FirstUserRow, keys.first_user()) is not None

    def add_robot(self, account: AccountRow, robot: RobotRow, token: TokenRow) -> None:
        """Writes a robot with its token. Raises LostRace when the name is there."""
        transaction = Transaction()
        transaction.put(
            AccountNameRow.under(keys.account_name(account.name), id=account.id, kind=account.kind), absent()
        )
        transaction.put(account)
        transaction.put(robot, absent())
        transaction.put(token)
        listed = TokenRow.under(
            keys.account_token(account.id, token.kind, token.uuid),
            kind=token.kind,
            owner_id=account.id,
            uuid=token.uuid,
            epoch=token.epoch,
        )
        transaction.put(listed)
        transaction.commit()


def holds(read: Read[AccountRow], epoch: int) -> bool:
    """Whether an account is still enabled and what was derived from it not yet revoked."""
    return read.row is not None and read.row.enabled and read.row.epoch == epoch

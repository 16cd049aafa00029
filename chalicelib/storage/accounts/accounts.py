"""Stores accounts, their names and namespaces, and robots."""

from collections.abc import Sequence

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from chalicelib.domain.accounts import Account, AccountKind, AccountRole
from chalicelib.domain.names import MAXIMUM_LENGTH
from chalicelib.domain.states import NamespaceState, NamespaceUpstream
from chalicelib.storage import keys
from chalicelib.storage.accounts.teams import MembershipRow
from chalicelib.storage.attributes import (
    EnumText,
    Integer,
    OptionalBytes,
    OptionalEnumText,
    OptionalInteger,
    OptionalText,
)
from chalicelib.storage.search_words import SearchKind, delete_words, put_words
from chalicelib.storage.table import Batch, Read, Row, Transaction, absent, at_version, get, query, query_kinds, view


class AccountNameRow(Row):
    """A name, pointing to an account or namespace. With `deleted_at` it reserves the name while the purge runs."""

    id = UnicodeAttribute()
    kind = EnumText(AccountKind)
    deleted_at = OptionalInteger()


class NamespaceRow(Row):
    """A user's or organization's namespace."""

    name = UnicodeAttribute()
    kind = EnumText(AccountKind)
    state = EnumText(NamespaceState, default=NamespaceState.LIVE)
    # The Time Machine's window in seconds: how long a deleted tag can be restored.
    window_s = Integer(default=14 * 86400)
    # JSON; None without a quota.
    quota = OptionalText()
    # Which tags are immutable by the namespace's policies (domain/policies.py); None without policies.
    immutability = OptionalText()
    # From where its repositories come; None where people create them.
    upstream = OptionalEnumText(NamespaceUpstream)
    # Only for organizations; a user's e-mail address is in the account's row.
    email = OptionalText()
    invoice_email = BooleanAttribute(default=False)
    invoice_email_address = OptionalText()
    created_at = OptionalInteger()
    version = Integer(default=0)
    view = UnicodeAttribute()
    view_at = UnicodeAttribute()


class AccountRow(Row):
    """A user or robot."""

    id = UnicodeAttribute()
    name = UnicodeAttribute()
    kind = EnumText(AccountKind)
    enabled = BooleanAttribute(default=True)
    # A new password or "revoke all" raises it, which ends every session and token with a lower one.
    epoch = Integer(default=0)
    superuser = BooleanAttribute(default=False)
    # Never both.
    read_only_superuser = BooleanAttribute(default=False)
    password_hash = OptionalText()
    created_at = Integer()
    email = OptionalText()
    given_name = OptionalText()
    family_name = OptionalText()
    company = OptionalText()
    location = OptionalText()
    version = Integer(default=0)

    @property
    def role(self) -> AccountRole:
        """What the user may do beyond what is theirs."""
        if self.superuser:
            return AccountRole.SUPERUSER
        return AccountRole.READ_ONLY_SUPERUSER if self.read_only_superuser else AccountRole.USER

    def give_role(self, role: AccountRole) -> None:
        """Sets the role, and ends all sessions and tokens, which were issued to somebody with other rights."""
        self.superuser = role is AccountRole.SUPERUSER
        self.read_only_superuser = role is AccountRole.READ_ONLY_SUPERUSER
        self.epoch += 1

    def to_account(self) -> Account:
        """Returns the account as a value of the domain."""
        return Account(self.id, self.name, self.kind, self.enabled, self.epoch, self.superuser)


class RobotRow(Row):
    """A robot of a namespace, with its sealed token."""

    account_id = UnicodeAttribute()
    sealed_token = OptionalBytes()
    key_id = UnicodeAttribute()
    name = OptionalText()
    description = UnicodeAttribute(default="")
    # JSON as the client sent it.
    metadata = OptionalText()
    federation = OptionalText()
    created_at = OptionalInteger()
    # The uuid and the SHA-256 of the token in `sealed_token`.
    token_uuid = OptionalText()
    version = Integer(default=0)


class EmailRow(Row):
    """An e-mail address, pointing to its account."""

    account_id = UnicodeAttribute()


class FirstUserRow(Row):
    """Exists once the first superuser was created."""

    account_id = UnicodeAttribute()


class AccountStore:
    """The accounts in the table."""

    def find(self, name: str) -> AccountNameRow | None:
        """Returns the row of a name; None if the name is free or its owner is deleted."""
        row = get(AccountNameRow, keys.account_name(name)) if len(name) <= MAXIMUM_LENGTH and name.isascii() else None
        return row if row and row.deleted_at is None else None

    def holder_of(self, name: str) -> AccountNameRow | None:
        """Returns the row of a name, even if its owner is deleted."""
        return get(AccountNameRow, keys.account_name(name))

    def require_account(self, transaction: Transaction, account_id: str) -> None:
        """Makes a transaction fail if an account no longer exists."""
        transaction.check(AccountRow, keys.account(account_id), AccountRow.pk.exists())

    def require_superuser(self, transaction: Transaction, account_id: str) -> None:
        """Makes a transaction fail if an account is not that of a superuser."""
        transaction.check(AccountRow, keys.account(account_id), AccountRow.superuser == True)  # noqa: E712 - a condition

    def get(self, account_id: str) -> AccountRow | None:
        """Returns an account by its id."""
        return get(AccountRow, keys.account(account_id))

    def get_all(self, account_ids: Sequence[str]) -> dict[str, AccountRow]:
        """Returns the accounts that exist, by id."""
        batch = Batch()
        reads = {identifier: batch.add(AccountRow, keys.account(identifier)) for identifier in account_ids}
        if reads:
            batch.read()
        return {identifier: read.row for identifier, read in reads.items() if read.row}

    def with_memberships(self, account_id: str) -> tuple[AccountRow | None, list[MembershipRow]]:
        """Returns an account and its team memberships with one query."""
        kinds: dict[str, type[Row]] = {keys.META: AccountRow, "": MembershipRow}
        rows = query_kinds(keys.account_with_memberships(account_id), kinds)
        account = next((row for row in rows if isinstance(row, AccountRow)), None)
        return account, [row for row in rows if isinstance(row, MembershipRow)]

    def namespaces(self, namespace_ids: Sequence[str]) -> dict[str, NamespaceRow]:
        """Returns the namespaces that exist, by id."""
        batch = Batch()
        reads = {identifier: batch.add(NamespaceRow, keys.namespace(identifier)) for identifier in namespace_ids}
        if reads:
            batch.read()
        return {identifier: read.row for identifier, read in reads.items() if read.row}

    def by_email(self, address: str) -> str | None:
        """Returns the id of the account that has an e-mail address."""
        row = get(EmailRow, keys.email(address))
        return row.account_id if row else None

    def namespace(self, namespace_id: str) -> NamespaceRow | None:
        """Returns a namespace by its id."""
        return get(NamespaceRow, keys.namespace(namespace_id))

    def add_user(self, transaction: Transaction, account: AccountRow, first: bool) -> None:
        """Writes a user with name, namespace and e-mail address, if the name and the address are free.

        With `first`, also requires that no first user exists.
        """
        kind = AccountKind.USER
        namespace = NamespaceRow.under(
            keys.namespace(account.id),
            name=account.name,
            kind=kind,
            view=keys.view_accounts(kind),
            view_at=account.name,
            created_at=account.created_at,
        )
        transaction.put(AccountNameRow.under(keys.account_name(account.name), id=account.id, kind=kind), absent())
        transaction.put(namespace)
        transaction.put(account)
        if first:
            transaction.put(FirstUserRow.under(keys.first_user(), account_id=account.id), absent())
        put_words(transaction, SearchKind.USER, account.name, account.id, account.id)
        if account.email:
            transaction.put(EmailRow.under(keys.email(account.email), account_id=account.id), absent())

    def move_email(self, transaction: Transaction, account_id: str, old: str | None, new: str) -> None:
        """Gives an account another e-mail address, if nobody else has it."""
        if old and old.lower() != new.lower():
            transaction.delete(EmailRow.under(keys.email(old)))
        if not old or old.lower() != new.lower():
            transaction.put(EmailRow.under(keys.email(new), account_id=account_id), absent())

    def put_account(self, transaction: Transaction, row: AccountRow, version: int) -> None:
        """Writes an account if it still has the version that was read."""
        row.version = version + 1
        transaction.put(row, at_version(AccountRow.version, version))

    def put_namespace(self, transaction: Transaction, row: NamespaceRow) -> None:
        """Writes a namespace if it still has the version that was read."""
        version, row.version = row.version, row.version + 1
        transaction.put(row, at_version(NamespaceRow.version, version))

    def has_first_user(self) -> bool:
        """Whether the first superuser was created."""
        return get(FirstUserRow, keys.first_user()) is not None

    def add_organization(self, transaction: Transaction, namespace: NamespaceRow) -> None:
        """Writes an organization with its name, if the name is free."""
        kind, identifier = AccountKind.ORGANIZATION, keys.namespace_id(namespace.pk)
        namespace.kind, namespace.view, namespace.view_at = kind, keys.view_accounts(kind), namespace.name
        transaction.put(AccountNameRow.under(keys.account_name(namespace.name), id=identifier, kind=kind), absent())
        transaction.put(namespace, absent())
        put_words(transaction, SearchKind.ORGANIZATION, namespace.name, identifier, identifier)

    def mark_deleted(self, transaction: Transaction, namespace: NamespaceRow, now: float) -> None:
        """Marks a namespace as deleted if it has the version that was read. Its name is reserved until the purge."""
        name = AccountNameRow.under(keys.account_name(namespace.name))
        transaction.update(name, AccountNameRow.deleted_at.set(int(now)), condition=AccountNameRow.pk.exists())
        delete_words(transaction, namespace.name, keys.namespace_id(namespace.pk))
        namespace.state = NamespaceState.DELETED
        self.put_namespace(transaction, namespace)

    def require_live_namespace(self, transaction: Transaction, namespace_id: str) -> None:
        """Makes a transaction fail if a namespace is deleted."""
        transaction.check(NamespaceRow, keys.namespace(namespace_id), NamespaceRow.state == NamespaceState.LIVE)

    def require_own_namespace(self, transaction: Transaction, namespace_id: str) -> None:
        """Makes a transaction fail if a namespace is deleted, or if its repositories come from elsewhere."""
        is_own = (NamespaceRow.state == NamespaceState.LIVE) & NamespaceRow.upstream.does_not_exist()
        transaction.check(NamespaceRow, keys.namespace(namespace_id), is_own)

    def remove_account(self, transaction: Transaction, row: AccountRow) -> None:
        """Removes a user's account and e-mail address if the account still has the version that was read."""
        transaction.delete(AccountRow.under(row.key), at_version(AccountRow.version, row.version))
        if row.email:
            transaction.delete(EmailRow.under(keys.email(row.email)))

    def of_kind(self, kind: AccountKind, after: str, limit: int) -> list[NamespaceRow]:
        """Returns namespaces of a kind after the name `after`, by name. The index lags and includes deleted ones."""
        return list(view(NamespaceRow, keys.view_accounts(kind), after, limit))

    def robot(self, namespace_id: str, name: str) -> RobotRow | None:
        """Returns a robot of a namespace by its short name."""
        return get(RobotRow, keys.robot(namespace_id, name)) if name else None

    def robots(self, namespace_id: str) -> list[RobotRow]:
        """Returns all robots of a namespace, by name."""
        return list(query(RobotRow, keys.robot(namespace_id, "")))

    def put_robot(self, transaction: Transaction, robot: RobotRow) -> None:
        """Writes a robot if it still has the version that was read."""
        version, robot.version = robot.version, robot.version + 1
        transaction.put(robot, at_version(RobotRow.version, version))

    def hold_robot(self, transaction: Transaction, robot: RobotRow) -> None:
        """Makes a transaction fail if a robot changed, and a concurrent one that changes or removes it."""
        actions = [RobotRow.version.set(robot.version + 1)]
        transaction.update(robot, *actions, condition=at_version(RobotRow.version, robot.version))

    def remove_robot(self, transaction: Transaction, name: str, robot: RobotRow) -> None:
        """Removes a robot with its full name and account if it still has the version that was read."""
        transaction.delete(robot, at_version(RobotRow.version, robot.version))
        transaction.delete(AccountNameRow.under(keys.account_name(name)))
        transaction.delete(AccountRow.under(keys.account(robot.account_id)))

    def add_robot(self, transaction: Transaction, account: AccountRow, robot: RobotRow) -> None:
        """Writes a robot if its name is free."""
        name = AccountNameRow.under(keys.account_name(account.name), id=account.id, kind=account.kind)
        transaction.put(name, absent())
        transaction.put(account)
        transaction.put(robot, absent())


def holds(read: Read[AccountRow], epoch: int) -> bool:
    """Whether an account is enabled and tokens or sessions of an epoch are not revoked."""
    return read.row is not None and read.row.enabled and read.row.epoch == epoch

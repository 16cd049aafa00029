"""Accounts: names are unique, and all rows of an account are written together."""

import pytest

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.ids import ulid
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import (
    AccountNameRow,
    AccountRow,
    AccountStore,
    RobotRow,
    holds,
)
from chalicelib.storage.accounts.teams import MembershipRow
from chalicelib.storage.table import Batch, Transaction, WriteConflict, get
from tests.support.backends import Backend
from tests.support.rows import change, rows_like

STORE = AccountStore()


def an_account(name: str, kind: AccountKind = AccountKind.USER, **fields: object) -> AccountRow:
    identifier = ulid()
    return AccountRow.under(keys.account(identifier), id=identifier, name=name, kind=kind.value, created_at=1, **fields)


def add_user(account: AccountRow, *, first: bool = False) -> None:
    transaction = Transaction()
    STORE.add_user(transaction, account, first)
    transaction.commit()


def test_name_namespace_and_account_of_a_user_share_one_id(backend: Backend) -> None:
    bob = an_account("bob")
    add_user(bob)
    found, namespace, account = STORE.find("bob"), STORE.namespace(bob.id), STORE.get(bob.id)

    assert found is not None
    assert namespace is not None
    assert account is not None
    assert (found.id, namespace.name, account.name) == (bob.id, "bob", "bob")
    assert (namespace.view, namespace.view_at) == ("ACCOUNTS#user", "bob")
    assert account.to_account().enabled
    assert not account.to_account().superuser


def test_a_taken_name_is_a_write_conflict_and_nothing_is_written(backend: Backend) -> None:
    add_user(an_account("bob"))
    before = rows_like(backend)

    with pytest.raises(WriteConflict):
        add_user(an_account("bob"))
    assert rows_like(backend) == before


def test_there_is_one_first_user(backend: Backend) -> None:
    assert STORE.has_first_user()
    with pytest.raises(WriteConflict):
        add_user(an_account("bob"), first=True)
    assert STORE.find("bob") is None


@pytest.mark.parametrize("name", ["nobody", "b\u00f6b", "", "x" * 2000])
def test_a_missing_or_invalid_name_finds_nobody(backend: Backend, name: str) -> None:
    assert STORE.find(name) is None


def test_a_deleted_name_finds_nobody(backend: Backend) -> None:
    add_user(an_account("bob"))
    change(get(AccountNameRow, keys.account_name("bob")), deleted_at=1)

    assert STORE.find("bob") is None


def test_a_robot_s_name_can_be_used_once(backend: Backend) -> None:
    robot = add_robot("admin+ci")
    account = STORE.get(robot.id)

    assert account is not None
    assert account.kind == AccountKind.ROBOT.value
    assert get(RobotRow, keys.robot("n", "ci")).sealed_token == b"sealed"
    with pytest.raises(WriteConflict):
        add_robot("admin+ci")


def add_robot(name: str) -> AccountRow:
    account, transaction = an_account(name, AccountKind.ROBOT), Transaction()
    row = RobotRow.under(keys.robot("n", "ci"), account_id=account.id, sealed_token=b"sealed", key_id="1")
    STORE.add_robot(transaction, account, row)
    transaction.commit()
    return account


def test_an_email_address_belongs_to_one_account_and_can_be_changed(backend: Backend) -> None:
    add_user(an_account("bob", email="Bob@example.com"))
    with pytest.raises(WriteConflict):
        add_user(an_account("carol", email="bob@example.com"))

    bob = STORE.by_email("BOB@example.com")
    assert bob is not None
    transaction = Transaction()
    STORE.move_email(transaction, bob, "Bob@example.com", "new@example.com")
    transaction.commit()
    assert (STORE.by_email("bob@example.com"), STORE.by_email("new@example.com")) == (None, bob)


def test_an_account_is_read_with_its_memberships(backend: Backend) -> None:
    bob = an_account("bob")
    add_user(bob)
    MembershipRow.under(keys.membership(bob.id, "org", "t1"), namespace_id="org", team_id="t1").save()

    account, memberships = STORE.with_memberships(bob.id)

    assert account is not None
    assert account.name == "bob"
    assert [row.team_id for row in memberships] == ["t1"]
    assert STORE.with_memberships("nobody") == (None, [])


def test_of_two_changes_of_one_version_the_second_is_a_write_conflict(backend: Backend) -> None:
    bob = an_account("bob")
    add_user(bob)
    for expected in (True, False):
        transaction, row = Transaction(), STORE.get(bob.id)
        assert row is not None
        STORE.put_account(transaction, row, 0)
        if expected:
            transaction.commit()
        else:
            with pytest.raises(WriteConflict):
                transaction.commit()


@pytest.mark.parametrize(
    ("enabled", "epoch", "expected"), [(True, 3, True), (True, 2, False), (True, 4, False), (False, 3, False)]
)
def test_tokens_are_accepted_while_the_account_is_enabled_and_has_their_epoch(
    backend: Backend, enabled: bool, epoch: int, expected: bool
) -> None:
    account = an_account("bob", enabled=enabled, epoch=3)
    account.save()
    batch = Batch()
    there, missing = batch.add(AccountRow, account.key), batch.add(AccountRow, keys.account("missing"))
    batch.read()

    assert holds(there, epoch) == expected
    assert not holds(missing, 0)

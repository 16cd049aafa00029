"""Accounts: a name is taken once, and what is written with it is written together."""

import pytest

from chalicelib.domain.accounts import Kind
from chalicelib.domain.ids import ulid
from chalicelib.storage import keys
from chalicelib.storage.accounts import AccountNameRow, AccountRow, AccountStore, RobotRow, TokenRow, holds
from chalicelib.storage.table import Batch, LostRace, get
from tests.houses import House
from tests.rows import change, rows_like

STORE = AccountStore()


def an_account(name: str, kind: Kind = Kind.USER, **fields: object) -> AccountRow:
    identifier = ulid()
    return AccountRow.under(keys.account(identifier), id=identifier, name=name, kind=kind.value, created_at=1, **fields)


def test_a_user_has_name_namespace_and_account_of_one_id(house: House) -> None:
    bob = an_account("bob")
    STORE.add_user(bob, first=False)
    found, namespace, account = STORE.find("bob"), STORE.namespace(bob.id), STORE.get(bob.id)

    assert found is not None
    assert namespace is not None
    assert account is not None
    assert (found.id, namespace.name, account.name) == (bob.id, "bob", "bob")
    assert (namespace.view, namespace.view_at) == ("ACCOUNTS#user", "bob")
    assert account.to_account().enabled
    assert not account.to_account().superuser


def test_a_name_that_is_taken_is_a_lost_race_and_nothing_is_written(house: House) -> None:
    STORE.add_user(an_account("bob"), first=False)
    before = rows_like(house)

    with pytest.raises(LostRace):
        STORE.add_user(an_account("bob"), first=False)
    assert rows_like(house) == before


def test_there_is_one_first_user(house: House) -> None:
    assert STORE.has_first_user()
    with pytest.raises(LostRace):
        STORE.add_user(an_account("bob"), first=True)
    assert STORE.find("bob") is None


@pytest.mark.parametrize("name", ["nobody", "b\u00f6b", "", "x" * 2000])
def test_a_name_that_is_not_there_or_cannot_be_finds_nobody(house: House, name: str) -> None:
    assert STORE.find(name) is None


def test_a_name_that_was_deleted_points_nowhere(house: House) -> None:
    STORE.add_user(an_account("bob"), first=False)
    change(get(AccountNameRow, keys.account_name("bob")), deleted_at=1)

    assert STORE.find("bob") is None


def test_a_robot_is_written_with_a_token_that_is_found_and_listed(house: House) -> None:
    robot, token = add_robot("admin+ci")
    found, account = STORE.find_token("hash"), STORE.get(robot.id)
    (listed,) = rows_like(house, f"A#{robot.id}", "TOKEN#")

    assert found is not None
    assert account is not None
    assert (found.owner_id, found.uuid, found.kind) == (robot.id, token.uuid, "robot")
    assert (listed["uuid"], listed["owner_id"]) == (token.uuid, robot.id)
    assert account.kind == Kind.ROBOT.value
    assert get(RobotRow, keys.robot("n", "ci")).sealed_token == b"sealed"
    with pytest.raises(LostRace):
        add_robot("admin+ci")


def add_robot(name: str) -> tuple[AccountRow, TokenRow]:
    account = an_account(name, Kind.ROBOT)
    row = RobotRow.under(keys.robot("n", "ci"), account_id=account.id, sealed_token=b"sealed", key_id="1")
    token = TokenRow.under(keys.token("hash"), kind="robot", owner_id=account.id, uuid="uuid", epoch=0)
    STORE.add_robot(account, row, token)
    return account, token


@pytest.mark.parametrize(
    ("enabled", "epoch", "expected"), [(True, 3, True), (True, 2, False), (True, 4, False), (False, 3, False)]
)
def test_what_was_derived_holds_while_the_account_is_enabled_and_of_its_epoch(
    house: House, enabled: bool, epoch: int, expected: bool
) -> None:
    account = an_account("bob", enabled=enabled, epoch=3)
    account.save()
    batch = Batch()
    there, missing = batch.add(AccountRow, account.key), batch.add(AccountRow, keys.account("missing"))
    batch.read()

    assert holds(there, epoch) == expected
    assert not holds(missing, 0)

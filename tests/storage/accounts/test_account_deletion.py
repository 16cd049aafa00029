"""What an account leaves, removed with all its ends."""

from chalicelib.domain.permissions import Role
from chalicelib.storage import keys
from chalicelib.storage.accounts.account_deletion import AT_ONCE, AccountDeletionStore
from chalicelib.storage.table import Row
from tests.support.backends import House
from tests.support.builders import a_granted, a_repository
from tests.support.rows import rows_like


def store(house: House) -> AccountDeletionStore:
    return AccountDeletionStore(house.services._applications, house.services._teams, house.services._permissions)


def test_a_page_at_once_and_the_rest_later(house: House) -> None:
    row = house.account()
    for number in range(AT_ONCE + 1):
        Row.under(keys.star(row.id, f"R{number:03}")).save()

    assert store(house).forget(row.id)
    assert len(rows_like(house, f"A#{row.id}", "STAR#")) == 1
    assert not store(house).forget(row.id)
    assert rows_like(house, f"A#{row.id}", "STAR#") == []


def test_a_role_goes_from_all_three_places(house: House) -> None:
    row = house.user("bob")
    a_repository(house)
    a_granted(house, "bob", Role.READ)

    store(house).take_roles(row.id)

    assert [one for one in rows_like(house) if "PERM#" + row.id in one["sk"] or "GRANT#" in one["sk"]] == []
    assert [one for one in rows_like(house) if f"GIVEN#{row.id}" in one["sk"]] == []


def test_a_session_goes_with_its_hash(house: House) -> None:
    row = house.account()
    house.services.sessions.begin(row)

    assert not store(house).end_tokens(row.id)

    assert rows_like(house, f"A#{row.id}", "TOKEN#") == rows_like(house, "TOKEN#") == []
    assert not store(house).leave_teams(row.id)

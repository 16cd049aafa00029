"""Users: made once, changed by themselves, shown with their organizations."""

from collections.abc import Callable

import pytest

from chalicelib.domain.errors import (
    AccountUnknown,
    AlreadyInitialized,
    Denied,
    FieldInvalid,
    NameInvalid,
    NameTaken,
    Unauthenticated,
)
from chalicelib.domain.permissions import ANONYMOUS, Actor
from chalicelib.domain.teams import TeamRole
from chalicelib.services.accounts.accounts import UserChanges
from chalicelib.services.security.throttles import WEB
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountNameRow, EmailRow
from chalicelib.storage.accounts.teams import TeamStore
from chalicelib.storage.table import Transaction, WriteConflict, get
from tests.support.backends import House
from tests.support.builders import a_blob, a_team_row, an_organization
from tests.support.crashes import crash_everywhere
from tests.support.rows import change, events, rows_like


def test_a_user_has_a_namespace_of_the_same_id_and_is_written_down(house: House) -> None:
    made = house.services.accounts.create_user("bob", "password-1", "bob@example.com")

    row = house.services.accounts.find("bob")
    assert (row.id, row.email, row.superuser) == (made.id, "bob@example.com", False)
    assert [event["performer"] for event in events(house, "user_create")] == ["admin", "bob"]


def test_the_first_user_is_a_superuser_and_there_is_one(house: House) -> None:
    assert house.account("admin").superuser
    with pytest.raises(AlreadyInitialized):
        house.services.accounts.create_user("second", "password-1", first=True)
    with pytest.raises(AccountUnknown):
        house.services.accounts.find("second")


@pytest.mark.parametrize("name", ["", "a", "A B", "admin+ci", "-x", "a" * 256])
def test_a_name_outside_the_grammar_is_refused(house: House, name: str) -> None:
    with pytest.raises(NameInvalid):
        house.services.accounts.create_user(name, "password-1")


def test_a_name_is_taken_once_by_whatever_has_it(house: House) -> None:
    an_organization(house, "acme")
    for name in ("admin", "acme"):
        with pytest.raises(NameTaken):
            house.services.accounts.create_user(name, "password-1")


def test_an_email_is_used_once_whatever_its_case(house: House) -> None:
    house.services.accounts.create_user("bob", "password-1", "Bob@example.com")

    with pytest.raises(FieldInvalid, match="email"):
        house.services.accounts.create_user("carol", "password-1", "bob@EXAMPLE.com")
    assert get(AccountNameRow, keys.account_name("carol")) is None


def test_a_name_that_points_to_nothing_finds_nobody(house: House) -> None:
    change(get(AccountNameRow, keys.account_name("admin")), deleted_at=1)

    with pytest.raises(AccountUnknown):
        house.services.accounts.find("admin")


def test_a_crash_in_making_a_user_leaves_all_or_nothing(house: House) -> None:
    def prepare(number: int) -> Callable[[], object]:
        def operation() -> None:
            try:
                house.services.accounts.find(f"user{number}")
            except AccountUnknown:
                house.services.accounts.create_user(f"user{number}", "password-1", f"{number}@example.com")
            assert house.services.accounts.find(f"user{number}").email

        return operation

    assert crash_everywhere(house, prepare) >= 2


def test_everybody_may_know_that_a_user_is_there_and_of_nobody_else(house: House) -> None:
    an_organization(house, "acme")
    house.robot("admin+ci")

    assert house.services.accounts.public_name("admin") == "admin"
    for name in ("acme", "admin+ci", "nobody"):
        with pytest.raises(AccountUnknown):
            house.services.accounts.public_name(name)


def test_a_new_password_opens_and_ends_everything_that_came_before(house: House) -> None:
    house.user("bob")
    row = house.services.accounts.change(house.signed_in("bob"), UserChanges(password="password-2"))

    assert row.epoch == 1
    assert house.services.doors.by_password(WEB, "bob", "password-2").id == row.id
    assert len(events(house, "account_change_password")) == 1


def test_an_email_moves_and_frees_the_old_one(house: House) -> None:
    house.services.accounts.create_user("bob", "password-1", "old@example.com")
    bob = house.signed_in("bob")

    house.services.accounts.change(bob, UserChanges(email="new@example.com"))
    house.services.accounts.change(bob, UserChanges(email="NEW@example.com"))

    assert get(EmailRow, keys.email("old@example.com")) is None
    assert get(EmailRow, keys.email("new@example.com")).account_id == bob.account_id
    house.services.accounts.create_user("carol", "password-1", "old@example.com")
    with pytest.raises(FieldInvalid, match="another account"):
        house.services.accounts.change(bob, UserChanges(email="old@example.com"))


@pytest.mark.parametrize(
    "changes",
    [
        UserChanges(password="short"),
        UserChanges(email="non sense"),
        UserChanges(invoice_email_address="nonsense"),
        UserChanges(window_s=5),
    ],
    ids=["pass", "mail", "invoice", "window"],
)
def test_a_change_that_cannot_be_changes_nothing(house: House, changes: UserChanges) -> None:
    before = rows_like(house)

    with pytest.raises(FieldInvalid):
        house.services.accounts.change(house.signed_in("admin"), changes)
    assert rows_like(house) == before


def test_the_window_stands_with_the_namespace(house: House) -> None:
    house.services.accounts.change(house.signed_in("admin"), UserChanges(window_s=86400))

    assert house.services.accounts.profile(house.signed_in("admin")).namespace.window_s == 86400
    assert len(events(house, "user_change_tag_expiration")) == 1


def test_nobody_and_robots_change_nothing(house: House) -> None:
    robot, _ = house.robot("admin+ci")

    with pytest.raises(Unauthenticated):
        house.services.accounts.change(ANONYMOUS, UserChanges(company="x"))
    with pytest.raises(Denied):
        house.services.accounts.change(Actor(robot.id, robot.name, robot.kind), UserChanges(company="x"))


def test_a_token_that_may_only_read_changes_nothing(house: House) -> None:
    row = house.account("admin")
    reader = Actor(row.id, row.name, scopes=frozenset({"user:read"}))

    assert house.services.accounts.profile(reader).account.name == "admin"
    with pytest.raises(Denied):
        house.services.accounts.change(reader, UserChanges(company="x"))


def test_no_token_changes_a_password_or_an_address(house: House) -> None:
    row = house.account("admin")
    holder = Actor(row.id, row.name, scopes=frozenset({"user:admin"}), has_token=True)

    for changes in (UserChanges(password="password-2"), UserChanges(email="x@example.com")):
        with pytest.raises(Denied):
            house.services.accounts.change(holder, changes)
    assert house.services.accounts.change(holder, UserChanges(company="Acme")).company == "Acme"


def test_a_change_does_not_bring_back_who_is_gone(house: House) -> None:
    house.user("bob")
    bob, row = house.signed_in("bob"), house.account("bob")
    transaction = Transaction()
    house.services._accounts.put_account(transaction, row, row.version)
    house.services.departures.leave(bob)

    with pytest.raises(WriteConflict):
        transaction.commit()
    with pytest.raises(AccountUnknown):
        house.services.accounts.change(bob, UserChanges(company="x"))


def test_a_profile_with_fifty_organizations_costs_two_calls(house: House) -> None:
    for number in range(50):
        an_organization(house, f"org{number:02}")
    house.calls.take()

    profile = house.services.accounts.profile(house.signed_in("admin"))

    assert [place.name for place in profile.organizations] == [f"org{number:02}" for number in range(50)]
    assert all(place.is_admin for place in profile.organizations)
    # signed_in reads the account twice by itself.
    assert house.calls.take()[2:] in (["Query", "BatchGetItem"], ["Query", "BatchGetItem", "BatchGetItem"])


def test_an_organization_is_seen_with_the_best_of_ones_teams(house: House) -> None:
    identifier, bob = an_organization(house, "acme"), house.user("bob")
    for name, role in (("devs", TeamRole.MEMBER), ("makers", TeamRole.CREATOR)):
        transaction, team = Transaction(), a_team_row(identifier, name, role)
        TeamStore().add(transaction, team)
        TeamStore().join(transaction, team, bob.id, bob.name, bob.kind)
        transaction.commit()

    (place,) = house.services.accounts.profile(house.signed_in("bob")).organizations
    assert (place.name, place.role, place.is_admin, place.may_create) == ("acme", TeamRole.CREATOR, False, True)


def test_a_profile_counts_the_bytes_of_ones_repositories(house: House) -> None:
    a_blob(house, b"x" * 100)
    a_blob(house, b"y" * 50)

    assert house.services.accounts.profile(house.signed_in("admin")).bytes == 150

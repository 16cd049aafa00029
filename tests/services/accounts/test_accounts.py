"""Tests creating users, changing oneself, and profiles."""

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
from tests.support.backends import Backend
from tests.support.builders import a_blob, a_team_row, an_organization
from tests.support.crashes import crash_everywhere
from tests.support.rows import change, events, rows_like


def test_a_user_has_a_namespace_of_the_same_id_and_is_recorded(backend: Backend) -> None:
    made = backend.services.accounts.accounts.create_user("bob", "password-1", "bob@example.com")

    row = backend.services.accounts.accounts.find("bob")
    assert (row.id, row.email, row.superuser) == (made.id, "bob@example.com", False)
    assert [event["performer"] for event in events(backend, "user_create")] == ["admin", "bob"]


def test_the_first_user_is_a_superuser_and_there_is_one(backend: Backend) -> None:
    assert backend.account("admin").superuser
    with pytest.raises(AlreadyInitialized):
        backend.services.accounts.accounts.create_user("second", "password-1", first=True)
    with pytest.raises(AccountUnknown):
        backend.services.accounts.accounts.find("second")


@pytest.mark.parametrize("name", ["", "a", "A B", "admin+ci", "-x", "a" * 256])
def test_a_name_outside_the_grammar_is_refused(backend: Backend, name: str) -> None:
    with pytest.raises(NameInvalid):
        backend.services.accounts.accounts.create_user(name, "password-1")


def test_users_and_organizations_share_their_names(backend: Backend) -> None:
    an_organization(backend, "acme")
    for name in ("admin", "acme"):
        with pytest.raises(NameTaken):
            backend.services.accounts.accounts.create_user(name, "password-1")


def test_an_email_is_used_once_whatever_its_case(backend: Backend) -> None:
    backend.services.accounts.accounts.create_user("bob", "password-1", "Bob@example.com")

    with pytest.raises(FieldInvalid, match="email"):
        backend.services.accounts.accounts.create_user("carol", "password-1", "bob@EXAMPLE.com")
    assert get(AccountNameRow, keys.account_name("carol")) is None


def test_a_name_without_an_account_is_unknown(backend: Backend) -> None:
    change(get(AccountNameRow, keys.account_name("admin")), deleted_at=1)

    with pytest.raises(AccountUnknown):
        backend.services.accounts.accounts.find("admin")


def test_a_crash_during_creation_leaves_all_or_nothing(backend: Backend) -> None:
    def prepare(number: int) -> Callable[[], object]:
        def operation() -> None:
            try:
                backend.services.accounts.accounts.find(f"user{number}")
            except AccountUnknown:
                backend.services.accounts.accounts.create_user(f"user{number}", "password-1", f"{number}@example.com")
            assert backend.services.accounts.accounts.find(f"user{number}").email

        return operation

    assert crash_everywhere(backend, prepare) >= 2


def test_only_names_of_users_are_public(backend: Backend) -> None:
    an_organization(backend, "acme")
    backend.robot("admin+ci")

    assert backend.services.accounts.accounts.public_name("admin") == "admin"
    for name in ("acme", "admin+ci", "nobody"):
        with pytest.raises(AccountUnknown):
            backend.services.accounts.accounts.public_name(name)


def test_a_new_password_works_and_ends_all_earlier_sessions_and_tokens(backend: Backend) -> None:
    backend.user("bob")
    row = backend.services.accounts.accounts.change(backend.signed_in("bob"), UserChanges(password="password-2"))

    assert row.epoch == 1
    assert backend.services.identity.authentication.by_password(WEB, "bob", "password-2").id == row.id
    assert len(events(backend, "account_change_password")) == 1


def test_an_email_moves_and_frees_the_old_one(backend: Backend) -> None:
    backend.services.accounts.accounts.create_user("bob", "password-1", "old@example.com")
    bob = backend.signed_in("bob")

    backend.services.accounts.accounts.change(bob, UserChanges(email="new@example.com"))
    backend.services.accounts.accounts.change(bob, UserChanges(email="NEW@example.com"))

    assert get(EmailRow, keys.email("old@example.com")) is None
    assert get(EmailRow, keys.email("new@example.com")).account_id == bob.account_id
    backend.services.accounts.accounts.create_user("carol", "password-1", "old@example.com")
    with pytest.raises(FieldInvalid, match="another account"):
        backend.services.accounts.accounts.change(bob, UserChanges(email="old@example.com"))


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
def test_an_invalid_change_changes_nothing(backend: Backend, changes: UserChanges) -> None:
    before = rows_like(backend)

    with pytest.raises(FieldInvalid):
        backend.services.accounts.accounts.change(backend.signed_in("admin"), changes)
    assert rows_like(backend) == before


def test_the_window_is_stored_with_the_namespace(backend: Backend) -> None:
    backend.services.accounts.accounts.change(backend.signed_in("admin"), UserChanges(window_s=86400))

    assert backend.services.accounts.accounts.profile(backend.signed_in("admin")).namespace.window_s == 86400
    assert len(events(backend, "user_change_tag_expiration")) == 1


def test_anonymous_callers_and_robots_change_nothing(backend: Backend) -> None:
    robot, _ = backend.robot("admin+ci")

    with pytest.raises(Unauthenticated):
        backend.services.accounts.accounts.change(ANONYMOUS, UserChanges(company="x"))
    with pytest.raises(Denied):
        backend.services.accounts.accounts.change(Actor(robot.id, robot.name, robot.kind), UserChanges(company="x"))


def test_a_token_that_may_only_read_changes_nothing(backend: Backend) -> None:
    row = backend.account("admin")
    reader = Actor(row.id, row.name, scopes=frozenset({"user:read"}))

    assert backend.services.accounts.accounts.profile(reader).account.name == "admin"
    with pytest.raises(Denied):
        backend.services.accounts.accounts.change(reader, UserChanges(company="x"))


def test_no_token_changes_a_password_or_an_address(backend: Backend) -> None:
    row = backend.account("admin")
    holder = Actor(row.id, row.name, scopes=frozenset({"user:admin"}), has_token=True)

    for changes in (UserChanges(password="password-2"), UserChanges(email="x@example.com")):
        with pytest.raises(Denied):
            backend.services.accounts.accounts.change(holder, changes)
    assert backend.services.accounts.accounts.change(holder, UserChanges(company="Acme")).company == "Acme"


def test_a_change_does_not_restore_a_deleted_user(backend: Backend) -> None:
    backend.user("bob")
    bob, row = backend.signed_in("bob"), backend.account("bob")
    transaction = Transaction()
    backend.services.stores.accounts.put_account(transaction, row, row.version)
    backend.services.accounts.account_deletion.delete_own_account(bob)

    with pytest.raises(WriteConflict):
        transaction.commit()
    with pytest.raises(AccountUnknown):
        backend.services.accounts.accounts.change(bob, UserChanges(company="x"))


def test_a_profile_with_fifty_organizations_costs_two_calls(backend: Backend) -> None:
    for number in range(50):
        an_organization(backend, f"org{number:02}")
    backend.calls.take()

    profile = backend.services.accounts.accounts.profile(backend.signed_in("admin"))

    assert [place.name for place in profile.organizations] == [f"org{number:02}" for number in range(50)]
    assert all(place.is_admin for place in profile.organizations)
    # signed_in reads the account twice by itself.
    assert backend.calls.take()[2:] in (["Query", "BatchGetItem"], ["Query", "BatchGetItem", "BatchGetItem"])


def test_an_organization_is_shown_with_the_best_role_of_ones_teams(backend: Backend) -> None:
    identifier, bob = an_organization(backend, "acme"), backend.user("bob")
    for name, role in (("devs", TeamRole.MEMBER), ("makers", TeamRole.CREATOR)):
        transaction, team = Transaction(), a_team_row(identifier, name, role)
        TeamStore().add(transaction, team)
        TeamStore().join(transaction, team, bob.id, bob.name, bob.kind)
        transaction.commit()

    (place,) = backend.services.accounts.accounts.profile(backend.signed_in("bob")).organizations
    assert (place.name, place.role, place.is_admin, place.may_create) == ("acme", TeamRole.CREATOR, False, True)


def test_a_profile_shows_the_bytes_of_ones_repositories(backend: Backend) -> None:
    a_blob(backend, b"x" * 100)
    a_blob(backend, b"y" * 50)

    assert backend.services.accounts.accounts.profile(backend.signed_in("admin")).bytes == 150

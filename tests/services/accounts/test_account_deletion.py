"""Tests that a deleted user ends at once, leaves no organization without an owner, and leaves no rows."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.domain.errors import (
    AccountUnknown,
    Denied,
    NameTaken,
    SoleOwner,
    SuperuserKept,
    Unauthenticated,
    WrongCredentials,
)
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, PUSH, Actor, Role
from chalicelib.domain.timers import PURGE, SETTLED_S
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import EmailRow
from chalicelib.storage.accounts.teams import TeamStore
from chalicelib.storage.table import get
from tests.support.backends import Backend
from tests.support.builders import a_repository, an_actor_with_role, an_organization, token_actor
from tests.support.crashes import crash_everywhere
from tests.support.rows import change, due_at, events, rows_like


@pytest.fixture
def bob(backend: Backend) -> Backend:
    """A backend with a second user who has an e-mail address."""
    backend.services.accounts.accounts.create_user("bob", "password", "bob@example.com")
    return backend


def share(backend: Backend, organization: str, name: str) -> None:
    """Adds a user to an organization's owners."""
    backend.services.accounts.teams.add_member(backend.signed_in("admin"), organization, "owners", name)


def test_a_deleted_user_can_do_nothing_from_then_on(bob: Backend) -> None:
    row, name = bob.account("bob"), RepositoryName.parse("bob/app")
    a_repository(bob, "bob/app")
    pusher, session = bob.actor("bob", "bob/app"), bob.services.identity.sessions.begin(row)
    bob.services.accounts.account_deletion.delete_own_account(bob.signed_in("bob"))

    assert bob.services.identity.sessions.believe(session.cookie) is None
    with pytest.raises(WrongCredentials):
        bob.services.identity.authentication.recognise("bob", "password")
    with pytest.raises(AccountUnknown):
        bob.services.accounts.accounts.find("bob")
    assert PUSH not in bob.services.security.access.walk(row, name).actions
    assert pusher.grants
    (event,) = events(bob, "user_delete")
    assert (event["performer"], event["metadata"]) == ("bob", '{"username":"bob"}')


def test_the_name_stays_taken_and_the_address_is_free(bob: Backend) -> None:
    bob.services.accounts.account_deletion.delete_own_account(bob.signed_in("bob"))

    with pytest.raises(NameTaken, match="Username is not available"):
        bob.services.accounts.accounts.create_user("bob", "password")
    assert get(EmailRow, keys.email("bob@example.com")) is None
    bob.services.accounts.accounts.create_user("carol", "password", "bob@example.com")


def test_a_timer_is_written_for_the_rest(bob: Backend) -> None:
    row, now = bob.account("bob"), int(bob.clock())
    bob.services.accounts.account_deletion.delete_own_account(bob.signed_in("bob"))

    assert due_at(PURGE, row.id) in (now + SETTLED_S, now + SETTLED_S + 1)


def test_a_token_cannot_delete_its_user(bob: Backend) -> None:
    row = bob.account("bob")

    with pytest.raises(Denied):
        bob.services.accounts.account_deletion.delete_own_account(
            Actor(row.id, row.name, scopes=frozenset({"user:admin"}))
        )
    with pytest.raises(Unauthenticated):
        bob.services.accounts.account_deletion.delete_own_account(ANONYMOUS)


def test_the_only_owner_cannot_leave_and_is_told_the_organizations(backend: Backend) -> None:
    for name in ("acme", "beta", "gone"):
        an_organization(backend, name)
    backend.user("bob")
    for name in ("acme", "beta", "gone"):
        share(backend, name, "bob")
    backend.services.accounts.organizations.delete(backend.signed_in("admin"), "gone")
    change(backend.account("admin"), superuser=False, enabled=False)

    with pytest.raises(SoleOwner) as refused:
        backend.services.accounts.account_deletion.delete_own_account(backend.signed_in("bob"))
    assert refused.value.organizations == ["acme", "beta"]
    assert backend.account("bob")


def test_an_owner_beside_others_may_be_deleted(backend: Backend) -> None:
    an_organization(backend)
    backend.user("bob")
    share(backend, "acme", "bob")

    backend.services.accounts.account_deletion.delete_own_account(backend.signed_in("bob"))
    assert backend.services.security.access.namespace_access(backend.signed_in("admin"), "acme") is not None


def test_of_two_owners_who_leave_at_once_one_stays(backend: Backend) -> None:
    an_organization(backend)
    names = ("bob", "carol")
    for name in names:
        backend.user(name)
        share(backend, "acme", name)
    backend.services.accounts.teams.remove_member(backend.signed_in("bob"), "acme", "owners", "admin")
    actors = [backend.signed_in(name) for name in names]

    def leave(actor: Actor) -> bool:
        try:
            backend.services.accounts.account_deletion.delete_own_account(actor)
        except SoleOwner:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(leave, actors)) == [False, True]


def test_superusers_cannot_be_deleted(bob: Backend) -> None:
    with pytest.raises(SuperuserKept):
        bob.services.accounts.account_deletion.delete_own_account(bob.signed_in("admin"))
    with pytest.raises(SuperuserKept):
        bob.services.accounts.account_deletion.delete_user(bob.signed_in("admin"), "admin")


def test_only_a_superuser_deletes_others(bob: Backend) -> None:
    bob.user("carol")
    with pytest.raises(Denied):
        bob.services.accounts.account_deletion.delete_user(bob.signed_in("carol"), "bob")
    for name in ("nobody", "admin+ci"):
        with pytest.raises(AccountUnknown):
            bob.services.accounts.account_deletion.delete_user(bob.signed_in("admin"), name)

    bob.services.accounts.account_deletion.delete_user(bob.signed_in("admin"), "bob")

    (event,) = events(bob, "user_delete")
    assert event["performer"] == "admin"


def test_a_crash_leaves_the_user_whole_or_deleted(backend: Backend) -> None:
    def prepare(number: int) -> Callable[[], object]:
        backend.services.accounts.accounts.create_user(f"user{number}", "password", f"{number}@example.com")
        actor = backend.signed_in(f"user{number}")

        def operation() -> None:
            try:
                backend.services.accounts.account_deletion.delete_own_account(actor)
            except AccountUnknown:
                assert events(backend, "user_delete")

        return operation

    assert crash_everywhere(backend, prepare) >= 1


def test_the_sweep_leaves_nothing_behind(bob: Backend) -> None:
    an_organization(bob)
    share(bob, "acme", "bob")
    a_repository(bob, "admin/app")
    an_actor_with_role(bob, "bob", Role.WRITE)
    row = bob.account("bob")
    bob.services.identity.sessions.begin(row)
    bob.services.accounts.account_deletion.delete_own_account(bob.signed_in("bob"))

    assert bob.services.accounts.account_deletion.sweep(row.id, lambda: True)
    assert bob.services.accounts.account_deletion.sweep(row.id, lambda: True)

    left = {(one["pk"], one["sk"]) for one in rows_like(bob) if row.id in one["pk"] + one["sk"]}
    kept = {f"N#{row.id}", f"LOG#N#{row.id}#c", f"TIMER#{PURGE}#{row.id}"}
    assert {pk for pk, _ in left} <= kept
    assert not [one for one in rows_like(bob, "TOKEN#") if one["owner_id"] == row.id]
    assert [one.name for one in TeamStore().members(_owners(bob))] == ["admin"]
    assert token_actor(bob, "admin", "admin/app").grants


def _owners(backend: Backend) -> str:
    (team,) = TeamStore().of_organization(backend.services.stores.accounts.find("acme").id)
    return team.id


def test_the_sweep_stops_when_its_time_is_up(bob: Backend) -> None:
    row = bob.account("bob")
    for _ in range(51):
        bob.services.identity.sessions.begin(row)

    assert not bob.services.accounts.account_deletion.sweep(row.id, lambda: False)
    assert bob.services.accounts.account_deletion.sweep(row.id, lambda: True)

"""Tests that a rename works at once, updates all rows, and then frees the former name."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest

from chalicelib.domain.accounts import RobotName
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import Denied, NameInvalid, NameTaken, ResourceUnknown, Unauthenticated
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, HolderKind, Role
from chalicelib.domain.teams import TeamRole
from chalicelib.domain.timers import RENAME, SETTLED_S, Due, Later
from chalicelib.services.identity.applications import ApplicationFields
from tests.support.backends import Backend
from tests.support.builders import a_team, an_organization, an_organization_repository
from tests.support.crashes import Crash, crash_before
from tests.support.rows import due_at, events, rows_like


@pytest.fixture
def acme(backend: Backend) -> Backend:
    backend.user("bob")
    an_organization(backend, owner="bob")
    return backend


def rename(backend: Backend, name: str = "acme", wanted: str = "other") -> None:
    backend.services.accounts.renames.rename(backend.signed_in("admin"), name, wanted)


def id_of(backend: Backend, name: str = "acme") -> str:
    return backend.services.stores.accounts.find(name).id


def walk(backend: Backend, identifier: str, has_time: Callable[[], bool] = lambda: True) -> Later | None:
    """Runs the walk until it has nothing to do now."""
    place = ""
    while True:
        later = backend.services.accounts.renames.work(Due(RENAME, identifier, 0, place), has_time)
        if later is None or later.at > backend.clock() + 1:
            return later
        place = later.place


def settle(backend: Backend) -> None:
    backend.clock.ahead_s += backend.settings.token_s + SETTLED_S + 1


def a_full_organization(backend: Backend, repositories: int = 3) -> str:
    """Creates an organization with every kind of row that contains its name; returns its id."""
    bob = backend.signed_in("bob")
    for number in range(repositories):
        an_organization_repository(backend, f"acme/app{number}", by="bob")
    backend.services.accounts.robots.create(bob, RobotName.parse("acme+ci"))
    a_team(backend, "devs", TeamRole.MEMBER, "acme+ci", by="bob")
    backend.services.accounts.permissions.put(
        bob, RepositoryName.parse("acme/app0"), HolderKind.USER, "acme+ci", Role.WRITE
    )
    backend.services.identity.applications.create(bob, "acme", ApplicationFields("bot"))
    return id_of(backend)


def test_an_organization_is_known_by_its_new_name_at_once(acme: Backend) -> None:
    identifier, bob = a_full_organization(acme), acme.signed_in("bob")

    rename(acme)

    assert id_of(acme, "other") == identifier
    assert acme.services.accounts.organizations.overview(bob, "other").namespace_access.is_admin
    with pytest.raises(ResourceUnknown):
        acme.services.accounts.organizations.overview(bob, "acme")
    pusher = acme.actor("bob", "other/app0")
    acme.services.registry.uploads.push(pusher, RepositoryName.parse("other/app0"), Digest.of(b"1"), b"1")
    assert acme.actor("bob", "acme/app0").grants["acme/app0"].actions == frozenset()
    (event,) = events(acme, "org_change_name")
    assert (event["namespace_id"], '"old_name":"acme","new_name":"other"' in event["metadata"]) == (identifier, True)
    assert due_at(RENAME, identifier) is not None


def test_the_timer_writes_the_new_name_everywhere(acme: Backend) -> None:
    identifier = a_full_organization(acme)
    rename(acme)

    walk(acme, identifier)
    settle(acme)
    assert walk(acme, identifier) is None

    kept = [row for row in rows_like(acme) if not row["pk"].startswith(("LOG#", "TIMER#"))]
    named = [row for row in kept if "acme" in str({key: value for key, value in row.items() if key != "name"})]
    assert [(row["pk"], row["sk"]) for row in named] == []
    assert {row["view_at"] for row in rows_like(acme, f"N#{identifier}", "REPO#")} == {
        f"other/app{n}" for n in range(3)
    }
    assert acme.account("other+ci").name == "other+ci"
    assert [
        one.name for one in acme.services.accounts.teams.roster(acme.signed_in("bob"), "other", "devs").members
    ] == ["other+ci"]
    (listed,) = acme.services.identity.applications.of_organization(acme.signed_in("bob"), "other")
    assert acme.services.identity.applications.public(listed.client_id).organization == "other"


def test_a_robot_signs_in_by_its_new_name_with_the_same_token(acme: Backend) -> None:
    made = acme.services.accounts.robots.create(acme.signed_in("bob"), RobotName.parse("acme+ci"))
    rename(acme)
    walk(acme, id_of(acme, "other"))

    assert acme.services.identity.authentication.recognise("other+ci", made.token or "").account.name == "other+ci"


def test_the_former_name_stays_taken_until_nothing_can_be_created_with_it(acme: Backend) -> None:
    identifier, admin = id_of(acme), acme.signed_in("admin")
    rename(acme)

    later = walk(acme, identifier)
    assert later is not None
    assert later.at == pytest.approx(acme.clock() + acme.settings.token_s + SETTLED_S, abs=5)
    with pytest.raises(NameTaken, match=r"^Username is not available$"):
        acme.services.accounts.organizations.create(admin, "acme")
    settle(acme)
    assert walk(acme, identifier) is None
    acme.services.accounts.organizations.create(admin, "acme")
    assert id_of(acme) not in (identifier, None)
    assert acme.actor("bob", "acme/app0").grants["acme/app0"].actions == frozenset()


def test_an_organization_may_have_its_name_back_at_any_time(acme: Backend) -> None:
    identifier = a_full_organization(acme)
    rename(acme)
    walk(acme, identifier)
    rename(acme, "other", "acme")

    walk(acme, identifier)
    settle(acme)
    assert walk(acme, identifier) is None

    assert {row["view_at"] for row in rows_like(acme, f"N#{identifier}", "REPO#")} == {f"acme/app{n}" for n in range(3)}
    assert acme.account("acme+ci").name == "acme+ci"
    assert rows_like(acme, "NAME#other") == rows_like(acme, f"N#{identifier}", "FORMER#") == []


@pytest.mark.parametrize("wanted", ["bob", "taken", "admin"])
def test_a_taken_name_is_refused(acme: Backend, wanted: str) -> None:
    an_organization(acme, "taken")
    before = rows_like(acme)

    with pytest.raises(NameTaken, match=r"^A user or organization with this name already exists$"):
        rename(acme, wanted=wanted)
    assert rows_like(acme) == before


def test_a_name_that_is_not_free_yet_is_refused(acme: Backend) -> None:
    an_organization(acme, "dying")
    acme.services.accounts.organizations.delete(acme.signed_in("admin"), "dying")

    with pytest.raises(NameTaken, match=r"^Username is not available$"):
        rename(acme, wanted="dying")


def test_a_rename_to_the_same_name_changes_nothing(acme: Backend) -> None:
    before = rows_like(acme)
    rename(acme, wanted="acme")
    assert rows_like(acme) == before


def test_only_superusers_rename_and_only_organizations(acme: Backend) -> None:
    service = acme.services.accounts.renames

    for actor in (acme.signed_in("bob"), replace(acme.signed_in("admin"), scopes=frozenset({"org:admin"}))):
        with pytest.raises(Denied):
            service.rename(actor, "acme", "other")
    with pytest.raises(Unauthenticated):
        service.rename(ANONYMOUS, "acme", "other")
    for name in ("none", "bob"):
        with pytest.raises(ResourceUnknown):
            rename(acme, name)
    with pytest.raises(NameInvalid):
        rename(acme, wanted="Bad Name!")


@pytest.mark.parametrize("repositories", [0, 1, 40])
def test_a_rename_costs_the_same_however_much_there_is(acme: Backend, repositories: int) -> None:
    for number in range(repositories):
        an_organization_repository(acme, f"acme/app{number}", by="bob")
    admin = acme.signed_in("admin")
    acme.calls.take()

    acme.services.accounts.renames.rename(admin, "acme", "other")

    assert len(acme.calls.take()) == 4


def test_a_walk_whose_time_is_up_continues_later(acme: Backend) -> None:
    identifier = a_full_organization(acme, 5)
    rename(acme)
    turns = count(1)

    walk(acme, identifier, lambda: next(turns) % 2 == 0)

    assert {row["view_at"] for row in rows_like(acme, f"N#{identifier}", "REPO#")} == {
        f"other/app{n}" for n in range(5)
    }
    assert acme.account("other+ci")


def test_the_timer_does_the_walk(acme: Backend) -> None:
    identifier = a_full_organization(acme)
    rename(acme)

    acme.services.lifecycle.timers.run(lambda: 60.0)
    assert acme.account("other+ci")
    settle(acme)
    acme.services.lifecycle.timers.run(lambda: 60.0)

    assert (due_at(RENAME, identifier), rows_like(acme, "NAME#acme")) == (None, [])


def test_a_walk_that_crashes_is_repeated(acme: Backend) -> None:
    identifier = a_full_organization(acme, 2)
    rename(acme)
    for number in count(1):
        try:
            with crash_before(acme, number):
                walk(acme, identifier)
            break
        except Crash:
            continue
    assert number > 5
    assert {row["view_at"] for row in rows_like(acme, f"N#{identifier}", "REPO#")} == {"other/app0", "other/app1"}
    assert (acme.account("other+ci").name, rows_like(acme, "NAME#acme+ci")) == ("other+ci", [])


def test_a_crash_leaves_a_whole_rename_or_none(acme: Backend) -> None:
    for number in count(1):
        identifier, names = id_of(acme), [row["pk"] for row in rows_like(acme, "NAME#")]
        try:
            with crash_before(acme, number):
                rename(acme)
            break
        except Crash:
            assert (id_of(acme), [row["pk"] for row in rows_like(acme, "NAME#")]) == (identifier, names)
    assert number > 4
    assert id_of(acme, "other") == identifier


def test_a_deleted_organization_is_left_to_its_purge(acme: Backend) -> None:
    identifier = id_of(acme)
    rename(acme)
    acme.services.accounts.organizations.delete(acme.signed_in("bob"), "other")

    assert walk(acme, identifier) is None
    assert walk(acme, "nothing") is None
    assert [row["pk"] for row in rows_like(acme, "NAME#acme") + rows_like(acme, "NAME#other")] == [
        "NAME#acme",
        "NAME#other",
    ]

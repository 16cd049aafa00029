"""Tests that a purge removes all rows of a deleted namespace and frees its name last."""

from collections.abc import Callable
from itertools import count

import pytest

from chalicelib.domain.accounts import RobotName
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import Denied, NameTaken, NameUnknown
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, HolderKind, Role
from chalicelib.domain.teams import TeamRole
from chalicelib.domain.timers import PURGE, SETTLED_S, Due, Later
from chalicelib.services.accounts.namespace_purge import AGAIN_S
from chalicelib.services.accounts.prototypes import NewPrototype
from chalicelib.services.identity.applications import ApplicationFields
from chalicelib.services.identity.authorizations import TokenRequest
from chalicelib.storage import keys
from chalicelib.storage.registry.repositories import DeletedRepositoryRow
from tests.support.backends import Backend
from tests.support.builders import a_team, an_organization, an_organization_repository
from tests.support.crashes import Crash, crash_before
from tests.support.rows import Plain, due_at, remove, rows_like

APP = RepositoryName.parse("acme/app")


@pytest.fixture
def acme(backend: Backend) -> Backend:
    for name in ("bob", "carol"):
        backend.user(name)
    return backend


def a_full_organization(backend: Backend) -> str:
    """Creates an organization with rows of every kind; returns its id."""
    identifier, bob = an_organization(backend, owner="bob"), backend.signed_in("bob")
    for name in ("acme/app", "acme/web"):
        an_organization_repository(backend, name, by="bob")
    robot = backend.services.accounts.robots.create(bob, RobotName.parse("acme+ci"))
    assert robot.token
    a_team(backend, "devs", TeamRole.MEMBER, "carol", "acme+ci", by="bob")
    for kind, holder in (("user", "carol"), ("user", "acme+ci"), ("team", "devs")):
        backend.services.accounts.permissions.put(bob, APP, HolderKind(kind), holder, Role.WRITE)
    client = backend.services.identity.applications.create(bob, "acme", ApplicationFields("bot")).client_id
    backend.services.identity.authorizations.create(bob, "acme", client, TokenRequest("ci", "repo:read"))
    backend.services.accounts.prototypes.create(bob, "acme", NewPrototype(Role.READ, HolderKind.TEAM, "devs"))
    return identifier


def deleted(backend: Backend) -> str:
    identifier = a_full_organization(backend)
    backend.services.accounts.organizations.delete(backend.signed_in("bob"), "acme")
    return identifier


def purge(backend: Backend, target: str, has_time: Callable[[], bool] = lambda: True) -> Later | None:
    """Runs the purge until it has nothing to do now."""
    while True:
        later = backend.services.accounts.namespace_purge.work(Due(PURGE, target, 0), has_time)
        if later is None or later.at > backend.clock() + 1:
            return later


def left(backend: Backend, identifier: str) -> list[Plain]:
    """Returns the rows of an organization, except its log, its timers and its deleted repositories."""
    mine = {row["pk"] for row in rows_like(backend, "R#", "META") if row["namespace_id"] == identifier}
    rows = [row for row in rows_like(backend) if not row["pk"].startswith(("LOG#", "TIMER#", "COUNT#"))]
    return [row for row in rows if (identifier in str(row) or "acme" in str(row)) and row["pk"] not in mine]


def content_is_collected(backend: Backend, identifier: str) -> None:
    """Removes the rows of deleted repositories, as garbage collection does."""
    for row in rows_like(backend, f"N#{identifier}", "GONE#"):
        remove(DeletedRepositoryRow, (row["pk"], row["sk"]))


def test_a_purge_removes_everything_but_deleted_repositories(acme: Backend) -> None:
    identifier = deleted(acme)

    later = purge(acme, identifier)

    assert later is not None
    assert later.at == pytest.approx(acme.clock() + AGAIN_S, abs=5)
    gone = rows_like(acme, f"N#{identifier}", "GONE#")
    assert sorted(row["name"] for row in gone) == ["app", "web"]
    settled_s = acme.settings.token_s + acme.settings.lease_s
    assert all(row["purge_at"] == pytest.approx(acme.clock() + settled_s, abs=5) for row in gone)
    namespace = rows_like(acme, f"N#{identifier}", "META")
    rest = [row for row in left(acme, identifier) if row not in gone + namespace]
    assert [(row["pk"], row["sk"]) for row in rest] == []
    for name in ("bob", "carol"):
        account = acme.account(name).id
        assert [row["sk"] for row in rows_like(acme, f"A#{account}")] == ["META"]


def test_the_namespace_is_removed_after_its_last_repository(acme: Backend) -> None:
    identifier = deleted(acme)
    purge(acme, identifier)
    content_is_collected(acme, identifier)

    assert purge(acme, identifier) is None
    assert rows_like(acme, f"N#{identifier}") == []
    assert purge(acme, identifier) is None


def test_a_name_taken_again_inherits_nothing(acme: Backend) -> None:
    identifier = a_full_organization(acme)
    early = acme.actor("bob", "acme/app", "acme/web")
    team = acme.actor("carol", "acme/app")
    acme.services.accounts.organizations.delete(acme.signed_in("bob"), "acme")
    with pytest.raises(NameTaken):
        acme.services.accounts.organizations.create(acme.signed_in("admin"), "acme")
    purge(acme, identifier)

    admin = acme.signed_in("admin")
    acme.services.accounts.organizations.create(admin, "acme")
    an_organization_repository(acme)

    shown = acme.services.accounts.organizations.overview(admin, "acme")
    assert ([view.team.name for view in shown.teams], shown.bytes) == (["owners"], 0)
    assert acme.services.accounts.robots.of_namespace(admin, "acme") == []
    assert acme.services.identity.applications.of_organization(admin, "acme") == []
    assert acme.services.accounts.prototypes.of_organization(admin, "acme") == []
    for name in ("bob", "carol"):
        assert acme.actor(name, "acme/app").grants["acme/app"].actions == frozenset()
        with pytest.raises(Denied):
            acme.services.security.access.require_role(acme.signed_in(name), APP, Role.READ)
    for actor in (early, team):
        refused_to_push(acme, actor)
    purge(acme, identifier)
    assert acme.services.accounts.organizations.overview(admin, "acme").namespace_access.is_admin


def refused_to_push(backend: Backend, actor: Actor) -> None:
    with pytest.raises((Denied, NameUnknown)):
        backend.services.registry.uploads.push(actor, APP, Digest.of(b"1"), b"1")


def test_the_timer_purges_a_minute_after_the_delete(acme: Backend) -> None:
    identifier = deleted(acme)
    acme.services.lifecycle.timers.run(lambda: 60.0)
    assert acme.services.stores.accounts.holder_of("acme") is not None

    acme.clock.ahead_s += SETTLED_S + 1
    acme.services.lifecycle.timers.run(lambda: 60.0)

    assert acme.services.stores.accounts.holder_of("acme") is None
    assert due_at(PURGE, identifier) == pytest.approx(acme.clock() + AGAIN_S, abs=60)


def test_a_purge_whose_time_is_up_continues_later(acme: Backend) -> None:
    identifier = deleted(acme)

    purge(acme, identifier, lambda: False)

    assert acme.services.stores.accounts.holder_of("acme") is None
    assert rows_like(acme, f"N#{identifier}", "ROBOT#") == rows_like(acme, f"N#{identifier}", "TEAM#") == []


def test_a_purge_that_crashes_is_repeated_and_frees_the_name_last(acme: Backend) -> None:
    identifier = deleted(acme)
    for number in count(1):
        try:
            with crash_before(acme, number):
                purge(acme, identifier)
            break
        except Crash:
            if acme.services.stores.accounts.holder_of("acme") is None:
                kept = {row["sk"].partition("#")[0] for row in rows_like(acme, f"N#{identifier}")}
                assert kept <= {"META", "GONE", "SIZE"}
    assert number > 5
    gone = rows_like(acme, f"N#{identifier}", "GONE#")
    assert len(gone) == 2
    assert {row["pk"] for row in left(acme, identifier)} == {f"N#{identifier}"}


def test_a_live_namespace_is_never_purged(acme: Backend) -> None:
    identifier = a_full_organization(acme)
    before = rows_like(acme)

    assert purge(acme, identifier) is None
    assert purge(acme, acme.account("bob").id) is None
    assert rows_like(acme) == before


def test_a_deleted_team_leaves_nothing_and_a_new_one_of_its_name_stays(acme: Backend) -> None:
    identifier, bob = a_full_organization(acme), acme.signed_in("bob")
    old = acme.services.stores.teams.find(identifier, "devs")
    acme.services.accounts.teams.remove(bob, "acme", "devs")
    a_team(acme, "devs", TeamRole.MEMBER, "carol", by="bob")

    assert purge(acme, keys.team_target(identifier, old.id)) is None

    kept = [row for row in rows_like(acme) if old.id in str(row) and not row["pk"].startswith(("LOG#", "TIMER#"))]
    assert kept == rows_like(acme, f"N#{identifier}", "PROTOTYPE#")
    assert [one.name for one in acme.services.accounts.teams.roster(bob, "acme", "devs").members] == ["carol"]


def test_a_deleted_user_leaves_nothing_and_their_name_is_free(acme: Backend) -> None:
    bob = acme.account("bob")
    acme.robot("bob+ci")
    identifier = an_organization(acme, owner="admin")
    a_team(acme, "devs", TeamRole.MEMBER, "bob")
    acme.services.accounts.account_deletion.delete_own_account(acme.signed_in("bob"))

    assert purge(acme, bob.id) is None

    rest = [row for row in rows_like(acme) if bob.id in str(row) and not row["pk"].startswith(("LOG#", "TIMER#"))]
    assert [(row["pk"], row["sk"]) for row in rest] == []
    assert acme.user("bob").id != bob.id
    assert rows_like(acme, f"N#{identifier}", "TEAM#devs") != []

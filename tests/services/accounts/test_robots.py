"""Tests that admins of a namespace create, read, regenerate and delete robots."""

import json
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.accounts import AccountKind, RobotName
from chalicelib.domain.errors import (
    AccountUnknown,
    Denied,
    FieldInvalid,
    NameInvalid,
    RobotTaken,
    RobotUnknown,
    Unauthenticated,
)
from chalicelib.domain.permissions import ANONYMOUS, Actor, HolderKind, Role
from chalicelib.domain.teams import TeamRole
from chalicelib.services.accounts.robots import LARGEST_METADATA, LONGEST_OVERLAP_S, RobotView
from chalicelib.services.security.sealing import Envelope, hashed
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow, RobotRow
from chalicelib.storage.accounts.teams import TeamStore
from chalicelib.storage.identity.tokens import TokenKind, TokenRow
from chalicelib.storage.table import Transaction, get
from tests.support.backends import Backend
from tests.support.builders import a_repository, a_team_row, an_organization, an_organization_repository
from tests.support.crashes import Crash, crash_before
from tests.support.rows import change, events, rows_like

BUILDER = RobotName.parse("admin+builder")
CI = RobotName.parse("acme+ci")


def made(backend: Backend, name: RobotName = BUILDER) -> RobotView:
    return backend.services.accounts.robots.create(backend.signed_in("admin"), name)


def is_good(backend: Backend, secret: str | None) -> bool:
    return backend.services.identity.authentication.by_token(secret or "", TokenKind.ROBOT) is not None


def a_team_with(backend: Backend, organization_id: str, name: str, account_id: str) -> None:
    transaction, teams = Transaction(), TeamStore()
    team = a_team_row(organization_id, name, TeamRole.MEMBER)
    teams.add(transaction, team)
    teams.join(transaction, team, account_id, str(CI), AccountKind.ROBOT)
    transaction.commit()


def test_the_token_of_a_robot_is_read_back_by_admins_of_its_namespace(backend: Backend) -> None:
    robot = backend.services.accounts.robots.create(backend.signed_in("admin"), BUILDER, "builds", {"a": 1})

    stored = get(RobotRow, keys.robot(backend.account("admin").id, "builder"))
    assert (stored.description, stored.metadata, stored.name) == ("builds", '{"a":1}', "builder")
    ring = Envelope(backend.services.stores.secrets.envelope)
    assert ring.open(f"{robot.row.account_id}/token", stored.key_id, stored.sealed_token) == robot.token
    assert get(TokenRow, keys.token(hashed(robot.token))).owner_id == robot.row.account_id
    assert not [row for row in rows_like(backend) if robot.token in str(row)]
    (event,) = events(backend, "create_robot")
    assert json.loads(event["metadata"]) == {
        "robot": "builder",
        "description": "builds",
        "unstructured_metadata": {"a": 1},
    }
    again = backend.services.accounts.robots.get(backend.signed_in("admin"), BUILDER)
    assert (again.token, again.metadata, str(again.name)) == (robot.token, {"a": 1}, "admin+builder")


def test_a_name_is_taken_once_in_its_namespace(backend: Backend) -> None:
    made(backend)
    backend.user("bob")
    backend.robot("bob+builder")

    with pytest.raises(RobotTaken, match=r"^Existing robot with name: admin\+builder$"):
        made(backend)


def test_a_missing_namespace_has_no_robots(backend: Backend) -> None:
    with pytest.raises(AccountUnknown):
        made(backend, RobotName.parse("nobody+builder"))


@pytest.mark.parametrize("name", ["admin", "admin+", "admin+A", "+ci", "admin+a+b", "admin+" + "a" * 250])
def test_a_name_outside_the_grammar_is_refused(name: str) -> None:
    with pytest.raises(NameInvalid):
        RobotName.parse(name)


def test_the_metadata_of_a_robot_has_a_limit(backend: Backend) -> None:
    with pytest.raises(FieldInvalid, match="unstructured_metadata"):
        backend.services.accounts.robots.create(backend.signed_in("admin"), BUILDER, "", {"a": "x" * LARGEST_METADATA})


def test_only_those_who_administer_a_namespace_reach_its_robots(backend: Backend) -> None:
    made(backend)
    backend.user("bob")
    robots = backend.services.accounts.robots
    reader = replace(backend.signed_in("admin"), scopes=frozenset({"repo:admin", "org:admin"}), is_session=False)

    for actor, refused in ((backend.signed_in("bob"), Denied), (ANONYMOUS, Unauthenticated), (reader, Denied)):
        for ask in (robots.create, robots.get, robots.regenerate, robots.delete, robots.permissions):
            with pytest.raises(refused):
                ask(actor, BUILDER)
        with pytest.raises(refused):
            robots.of_namespace(actor, "admin")
    with pytest.raises(Unauthenticated):
        robots.of_namespace(ANONYMOUS, "nobody")


def test_a_token_reaches_the_robots_that_its_scope_allows(backend: Backend) -> None:
    an_organization(backend, "acme")
    made(backend, CI)
    robots, admin = backend.services.accounts.robots, backend.signed_in("admin")

    assert robots.get(replace(admin, scopes=frozenset({"org:admin"})), CI).token
    with pytest.raises(Denied):
        robots.get(replace(admin, scopes=frozenset({"user:admin"})), CI)


def test_a_list_is_newest_first_and_can_be_limited(backend: Backend) -> None:
    for name in ("first", "second", "third"):
        backend.robot(f"admin+{name}")
        backend.clock.ahead_s += 1
    admin, robots = backend.signed_in("admin"), backend.services.accounts.robots

    found = robots.of_namespace(admin, "admin", with_tokens=True)
    assert [view.name.robot for view in found] == ["third", "second", "first"]
    assert all(is_good(backend, view.token) for view in found)
    assert [view.name.robot for view in robots.of_namespace(admin, "admin", limit=1)] == ["third"]
    assert {view.token for view in robots.of_namespace(admin, "admin")} == {None}


def test_members_see_robots_without_tokens_and_rights(backend: Backend) -> None:
    acme = an_organization(backend, "acme")
    made(backend, CI)
    backend.user("bob")
    a_team_with(backend, acme, "readers", backend.account("bob").id)

    (view,) = backend.services.accounts.robots.of_namespace(
        backend.signed_in("bob"), "acme", with_tokens=True, with_rights=True
    )

    assert (view.token, view.teams, view.repositories) == (None, None, None)
    with pytest.raises(Denied):
        backend.services.accounts.robots.get(backend.signed_in("bob"), CI)


def test_teams_and_repositories_are_listed_on_request(backend: Backend) -> None:
    acme = an_organization(backend, "acme")
    ci, _ = made(backend, CI), made(backend, RobotName.parse("acme+idle"))
    a_team_with(backend, acme, "builders", ci.row.account_id)
    admin = backend.signed_in("admin")
    theirs, app = an_organization_repository(backend), a_repository(backend, "admin/app")
    backend.services.accounts.permissions.put(admin, theirs.name, HolderKind.USER, "acme+ci", Role.WRITE)
    backend.robot("admin+own")
    backend.services.accounts.permissions.put(admin, app.name, HolderKind.USER, "admin+own", Role.READ)

    found = backend.services.accounts.robots.of_namespace(admin, "acme", with_rights=True)
    assert {view.name.robot: list(view.teams) for view in found} == {"ci": ["builders"], "idle": []}
    assert {view.name.robot: list(view.repositories) for view in found} == {"ci": ["app"], "idle": []}
    (own,) = backend.services.accounts.robots.of_namespace(admin, "admin", with_rights=True)
    assert list(own.repositories) == ["app"]
    (given,) = backend.services.accounts.robots.permissions(admin, CI)
    assert (given.repository, given.is_public, given.role) == ("acme/app", False, Role.WRITE)


def test_a_list_with_rights_costs_the_same_for_few_and_many(backend: Backend) -> None:
    an_organization(backend, "acme")
    admin, counts = backend.signed_in("admin"), []
    for number in range(2):
        for one in range(5):
            made(backend, RobotName.parse(f"acme+ci{number}{one}"))
        backend.calls.take()
        backend.services.accounts.robots.of_namespace(admin, "acme", with_tokens=True, with_rights=True)
        counts.append(len(backend.calls.take()))

    assert counts[0] == counts[1] <= 9


def test_a_new_token_ends_the_former_one_and_all_issued_for_it(backend: Backend) -> None:
    before = made(backend)
    actor = backend.services.identity.tokens.believe(
        backend.services.identity.tokens.issue(("admin+builder", before.token), None, []).token
    )

    after = backend.services.accounts.robots.regenerate(backend.signed_in("admin"), BUILDER)

    assert not is_good(backend, before.token)
    assert is_good(backend, after.token)
    assert backend.account("admin+builder").epoch == actor.epoch + 1
    assert backend.services.accounts.robots.get(backend.signed_in("admin"), BUILDER).token == after.token
    (event,) = events(backend, "regenerate_robot_token")
    assert json.loads(event["metadata"]) == {"robot": "builder"}


def test_the_former_and_the_new_token_are_valid_during_the_overlap(backend: Backend) -> None:
    before, robots, admin = made(backend), backend.services.accounts.robots, backend.signed_in("admin")

    after = robots.regenerate(admin, BUILDER, overlap_s=600)
    assert [is_good(backend, one.token) for one in (before, after)] == [True, True]
    backend.clock.ahead_s += 601
    assert [is_good(backend, one.token) for one in (before, after)] == [False, True]


def test_there_are_never_three_tokens(backend: Backend) -> None:
    before, robots, admin = made(backend), backend.services.accounts.robots, backend.signed_in("admin")

    second = robots.regenerate(admin, BUILDER, overlap_s=600)
    third = robots.regenerate(admin, BUILDER, overlap_s=600)
    assert [is_good(backend, one.token) for one in (before, second, third)] == [False, True, True]
    last = robots.regenerate(admin, BUILDER)
    assert [is_good(backend, one.token) for one in (second, third, last)] == [False, False, True]
    assert len(rows_like(backend, "A#", "TOKEN#robot#")) == 1


@pytest.mark.parametrize("overlap_s", [-1, LONGEST_OVERLAP_S + 1])
def test_an_overlap_has_its_limits(backend: Backend, overlap_s: int) -> None:
    made(backend)

    with pytest.raises(FieldInvalid, match="overlap_s"):
        backend.services.accounts.robots.regenerate(backend.signed_in("admin"), BUILDER, overlap_s)


def test_a_deleted_robot_ends_at_once_and_a_new_one_of_its_name_inherits_nothing(backend: Backend) -> None:
    acme, admin, robots = an_organization(backend, "acme"), backend.signed_in("admin"), backend.services.accounts.robots
    before = made(backend, CI)
    a_team_with(backend, acme, "builders", before.row.account_id)
    name = an_organization_repository(backend).name
    backend.services.accounts.permissions.put(admin, name, HolderKind.USER, str(CI), Role.WRITE)

    robots.delete(admin, CI)
    assert not is_good(backend, before.token)
    with pytest.raises(RobotUnknown, match="Could not find robot with specified username"):
        robots.delete(admin, CI)
    assert [
        row for row in rows_like(backend) if row["pk"][:2] in ("A#", "R#", "T#") and before.row.account_id in str(row)
    ] == []

    after = made(backend, CI)
    assert after.row.account_id != before.row.account_id
    assert robots.permissions(admin, CI) == []
    assert not is_good(backend, before.token)
    assert len(events(backend, "delete_robot")) == 1


def test_a_robot_ends_with_its_namespace_and_its_user(backend: Backend) -> None:
    acme = an_organization(backend, "acme")
    backend.user("bob")
    _, own = backend.robot("bob+builder")
    theirs = made(backend, CI).token

    change(backend.account("bob"), enabled=False)
    change(get(NamespaceRow, keys.namespace(acme)), state="deleted")

    assert [is_good(backend, token) for token in (own, theirs)] == [False, False]


def test_no_robot_is_created_in_a_namespace_deleted_meanwhile(backend: Backend) -> None:
    acme = an_organization(backend, "acme")
    change(get(NamespaceRow, keys.namespace(acme)), state="deleted")
    transaction = Transaction()
    backend.services.stores.accounts.mark_deleted(transaction, get(NamespaceRow, keys.namespace(acme)), backend.clock())
    transaction.commit()

    with pytest.raises(AccountUnknown):
        made(backend, CI)


def test_the_last_use_of_a_token_is_shown(backend: Backend) -> None:
    robot, admin = made(backend), backend.signed_in("admin")
    assert robot.last_used_at is None

    backend.services.identity.authentication.recognise("admin+builder", robot.token)

    used = backend.services.accounts.robots.get(admin, BUILDER).last_used_at
    assert abs(used - backend.clock()) < 60
    assert backend.services.accounts.robots.of_namespace(admin, "admin")[0].last_used_at == used
    assert backend.services.accounts.robots.regenerate(admin, BUILDER).last_used_at is None


def crashing(backend: Backend, ask: Any) -> None:
    """Crashes an operation before each of its calls in turn, and repeats it each time until it completes."""
    for number in range(1, 40):
        try:
            with crash_before(backend, number):
                ask(backend.signed_in("admin"), number)
            return
        except Crash:
            ask(backend.signed_in("admin"), number)
    raise AssertionError("an operation ends")


def test_a_crash_during_creation_leaves_all_or_nothing(backend: Backend) -> None:
    def ask(actor: Actor, number: int) -> None:
        name = RobotName.parse(f"admin+robot{number}")
        assert rows_like(backend, "N#", f"ROBOT#{name.robot}") == []
        backend.services.accounts.robots.create(actor, name)

    crashing(backend, ask)


def test_a_crash_during_regeneration_leaves_one_valid_token(backend: Backend) -> None:
    made(backend)

    def ask(actor: Actor, _: int) -> None:
        assert is_good(backend, backend.services.accounts.robots.get(backend.signed_in("admin"), BUILDER).token)
        backend.services.accounts.robots.regenerate(actor, BUILDER)

    crashing(backend, ask)
    assert len(rows_like(backend, "A#", "TOKEN#robot#")) == 1


def test_a_deletion_that_crashes_can_be_repeated(backend: Backend) -> None:
    acme, admin = an_organization(backend, "acme"), backend.signed_in("admin")
    name = an_organization_repository(backend).name
    for number in range(1, 40):
        robot = made(backend, CI)
        a_team_with(backend, acme, f"team{number}", robot.row.account_id)
        backend.services.accounts.permissions.put(admin, name, HolderKind.USER, str(CI), Role.WRITE)
        try:
            with crash_before(backend, number):
                backend.services.accounts.robots.delete(admin, CI)
            break
        except Crash:
            if backend.services.stores.accounts.find(str(CI)):
                backend.services.accounts.robots.delete(admin, CI)
        assert not is_good(backend, robot.token)
        left = [row for row in rows_like(backend) if row["pk"][:2] in ("R#", "T#")]
        assert [row for row in left if robot.row.account_id in row["sk"]] == []
    else:
        raise AssertionError("an operation ends")

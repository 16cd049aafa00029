"""Robots: accounts of a namespace, made, read, given other tokens and removed by those who administer it."""

import json
from dataclasses import replace

import pytest

from chalicelib.domain.accounts import RobotName
from chalicelib.domain.errors import (
    AccountUnknown,
    Denied,
    FieldInvalid,
    NameInvalid,
    RobotTaken,
    RobotUnknown,
    Unauthenticated,
)
from chalicelib.domain.permissions import ANONYMOUS, Actor, Role
from chalicelib.domain.teams import TeamRole
from chalicelib.services.accounts.robots import LARGEST_METADATA, LONGEST_OVERLAP_S, RobotView
from chalicelib.services.security.sealing import Envelope, hashed
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow, RobotRow
from chalicelib.storage.accounts.teams import TeamStore
from chalicelib.storage.identity.tokens import ROBOT, TokenRow
from chalicelib.storage.table import Transaction, get
from tests.support.backends import House
from tests.support.builders import a_repository, a_team_row, an_organization, an_organization_s_repository
from tests.support.crashes import Crash, crash_before
from tests.support.rows import change, events, rows_like

BUILDER = RobotName.parse("admin+builder")
CI = RobotName.parse("acme+ci")


def made(house: House, name: RobotName = BUILDER) -> RobotView:
    return house.services.robots.create(house.signed_in("admin"), name)


def is_good(house: House, secret: str | None) -> bool:
    return house.services.doors.by_token(secret or "", ROBOT) is not None


def a_team_with(house: House, organization_id: str, name: str, account_id: str) -> None:
    transaction, teams = Transaction(), TeamStore()
    team = a_team_row(organization_id, name, TeamRole.MEMBER)
    teams.add(transaction, team)
    teams.join(transaction, team, account_id, str(CI), "robot")
    transaction.commit()


def test_a_robot_has_a_token_that_is_read_back_by_those_who_may(house: House) -> None:
    robot = house.services.robots.create(house.signed_in("admin"), BUILDER, "builds", {"a": 1})

    stored = get(RobotRow, keys.robot(house.account("admin").id, "builder"))
    assert (stored.description, stored.metadata, stored.name) == ("builds", '{"a":1}', "builder")
    ring = Envelope(house.services.secrets.envelope)
    assert ring.open(f"{robot.row.account_id}/token", stored.key_id, stored.sealed_token) == robot.token
    assert get(TokenRow, keys.token(hashed(robot.token))).owner_id == robot.row.account_id
    assert not [row for row in rows_like(house) if robot.token in str(row)]
    (event,) = events(house, "create_robot")
    assert json.loads(event["metadata"]) == {
        "robot": "builder",
        "description": "builds",
        "unstructured_metadata": {"a": 1},
    }
    again = house.services.robots.get(house.signed_in("admin"), BUILDER)
    assert (again.token, again.metadata, str(again.name)) == (robot.token, {"a": 1}, "admin+builder")


def test_a_name_is_taken_once_in_its_namespace(house: House) -> None:
    made(house)
    house.user("bob")
    house.robot("bob+builder")

    with pytest.raises(RobotTaken, match=r"^Existing robot with name: admin\+builder$"):
        made(house)


def test_a_namespace_that_is_not_there_has_none(house: House) -> None:
    with pytest.raises(AccountUnknown):
        made(house, RobotName.parse("nobody+builder"))


@pytest.mark.parametrize("name", ["admin", "admin+", "admin+A", "+ci", "admin+a+b", "admin+" + "a" * 250])
def test_a_name_outside_the_grammar_is_refused(name: str) -> None:
    with pytest.raises(NameInvalid):
        RobotName.parse(name)


def test_what_is_written_beside_a_robot_has_its_limit(house: House) -> None:
    with pytest.raises(FieldInvalid, match="unstructured_metadata"):
        house.services.robots.create(house.signed_in("admin"), BUILDER, "", {"a": "x" * LARGEST_METADATA})


def test_only_those_who_administer_a_namespace_reach_its_robots(house: House) -> None:
    made(house)
    house.user("bob")
    robots = house.services.robots
    reader = replace(house.signed_in("admin"), scopes=frozenset({"repo:admin", "org:admin"}), is_session=False)

    for actor, refused in ((house.signed_in("bob"), Denied), (ANONYMOUS, Unauthenticated), (reader, Denied)):
        for ask in (robots.create, robots.get, robots.regenerate, robots.delete, robots.permissions):
            with pytest.raises(refused):
                ask(actor, BUILDER)
        with pytest.raises(refused):
            robots.of_namespace(actor, "admin")
    with pytest.raises(Unauthenticated):
        robots.of_namespace(ANONYMOUS, "nobody")


def test_a_token_reaches_the_robots_that_its_scope_lets_through(house: House) -> None:
    an_organization(house, "acme")
    made(house, CI)
    robots, admin = house.services.robots, house.signed_in("admin")

    assert robots.get(replace(admin, scopes=frozenset({"org:admin"})), CI).token
    with pytest.raises(Denied):
        robots.get(replace(admin, scopes=frozenset({"user:admin"})), CI)


def test_a_list_is_newest_first_and_can_be_cut(house: House) -> None:
    for name in ("first", "second", "third"):
        house.robot(f"admin+{name}")
        house.clock.ahead_s += 1
    admin, robots = house.signed_in("admin"), house.services.robots

    found = robots.of_namespace(admin, "admin", with_tokens=True)
    assert [view.name.robot for view in found] == ["third", "second", "first"]
    assert all(is_good(house, view.token) for view in found)
    assert [view.name.robot for view in robots.of_namespace(admin, "admin", limit=1)] == ["third"]
    assert {view.token for view in robots.of_namespace(admin, "admin")} == {None}


def test_members_see_robots_without_tokens_and_rights(house: House) -> None:
    acme = an_organization(house, "acme")
    made(house, CI)
    house.user("bob")
    a_team_with(house, acme, "readers", house.account("bob").id)

    (view,) = house.services.robots.of_namespace(house.signed_in("bob"), "acme", with_tokens=True, with_rights=True)

    assert (view.token, view.teams, view.repositories) == (None, None, None)
    with pytest.raises(Denied):
        house.services.robots.get(house.signed_in("bob"), CI)


def test_teams_and_repositories_are_told_where_asked_for(house: House) -> None:
    acme = an_organization(house, "acme")
    ci, _ = made(house, CI), made(house, RobotName.parse("acme+idle"))
    a_team_with(house, acme, "builders", ci.row.account_id)
    admin = house.signed_in("admin")
    theirs, app = an_organization_s_repository(house), a_repository(house, "admin/app")
    house.services.permissions.put(admin, theirs.name, "user", "acme+ci", Role.WRITE)
    house.robot("admin+own")
    house.services.permissions.put(admin, app.name, "user", "admin+own", Role.READ)

    found = house.services.robots.of_namespace(admin, "acme", with_rights=True)
    assert {view.name.robot: list(view.teams) for view in found} == {"ci": ["builders"], "idle": []}
    assert {view.name.robot: list(view.repositories) for view in found} == {"ci": ["app"], "idle": []}
    (own,) = house.services.robots.of_namespace(admin, "admin", with_rights=True)
    assert list(own.repositories) == ["app"]
    (given,) = house.services.robots.permissions(admin, CI)
    assert (given.repository, given.is_public, given.role) == ("acme/app", False, Role.WRITE)


def test_a_list_with_rights_costs_the_same_for_few_and_many(house: House) -> None:
    an_organization(house, "acme")
    admin, counts = house.signed_in("admin"), []
    for number in range(2):
        for one in range(5):
            made(house, RobotName.parse(f"acme+ci{number}{one}"))
        house.calls.take()
        house.services.robots.of_namespace(admin, "acme", with_tokens=True, with_rights=True)
        counts.append(len(house.calls.take()))

    assert counts[0] == counts[1] <= 9


def test_a_token_given_anew_ends_the_one_before_and_all_made_with_it(house: House) -> None:
    before = made(house)
    actor = house.services.tokens.believe(house.services.tokens.issue(("admin+builder", before.token), None, []).token)

    after = house.services.robots.regenerate(house.signed_in("admin"), BUILDER)

    assert not is_good(house, before.token)
    assert is_good(house, after.token)
    assert house.account("admin+builder").epoch == actor.epoch + 1
    assert house.services.robots.get(house.signed_in("admin"), BUILDER).token == after.token
    (event,) = events(house, "regenerate_robot_token")
    assert json.loads(event["metadata"]) == {"robot": "builder"}


def test_old_and_new_are_good_for_the_overlap(house: House) -> None:
    before, robots, admin = made(house), house.services.robots, house.signed_in("admin")

    after = robots.regenerate(admin, BUILDER, overlap_s=600)
    assert [is_good(house, one.token) for one in (before, after)] == [True, True]
    house.clock.ahead_s += 601
    assert [is_good(house, one.token) for one in (before, after)] == [False, True]


def test_there_are_never_three_tokens(house: House) -> None:
    before, robots, admin = made(house), house.services.robots, house.signed_in("admin")

    second = robots.regenerate(admin, BUILDER, overlap_s=600)
    third = robots.regenerate(admin, BUILDER, overlap_s=600)
    assert [is_good(house, one.token) for one in (before, second, third)] == [False, True, True]
    last = robots.regenerate(admin, BUILDER)
    assert [is_good(house, one.token) for one in (second, third, last)] == [False, False, True]
    assert len(rows_like(house, "A#", "TOKEN#robot#")) == 1


@pytest.mark.parametrize("overlap_s", [-1, LONGEST_OVERLAP_S + 1])
def test_an_overlap_has_its_limits(house: House, overlap_s: int) -> None:
    made(house)

    with pytest.raises(FieldInvalid, match="overlap_s"):
        house.services.robots.regenerate(house.signed_in("admin"), BUILDER, overlap_s)


def test_a_removed_robot_is_dead_at_once_and_made_again_inherits_nothing(house: House) -> None:
    acme, admin, robots = an_organization(house, "acme"), house.signed_in("admin"), house.services.robots
    before = made(house, CI)
    a_team_with(house, acme, "builders", before.row.account_id)
    name = an_organization_s_repository(house).name
    house.services.permissions.put(admin, name, "user", str(CI), Role.WRITE)

    robots.delete(admin, CI)
    assert not is_good(house, before.token)
    with pytest.raises(RobotUnknown, match="Could not find robot with specified username"):
        robots.delete(admin, CI)
    assert [
        row for row in rows_like(house) if row["pk"][:2] in ("A#", "R#", "T#") and before.row.account_id in str(row)
    ] == []

    after = made(house, CI)
    assert after.row.account_id != before.row.account_id
    assert robots.permissions(admin, CI) == []
    assert not is_good(house, before.token)
    assert len(events(house, "delete_robot")) == 1


def test_a_robot_ends_with_its_namespace_and_its_user(house: House) -> None:
    acme = an_organization(house, "acme")
    house.user("bob")
    _, own = house.robot("bob+builder")
    theirs = made(house, CI).token

    change(house.account("bob"), enabled=False)
    change(get(NamespaceRow, keys.namespace(acme)), state="deleted")

    assert [is_good(house, token) for token in (own, theirs)] == [False, False]


def test_no_robot_is_made_in_a_namespace_that_ends_meanwhile(house: House) -> None:
    acme = an_organization(house, "acme")
    change(get(NamespaceRow, keys.namespace(acme)), state="deleted")
    transaction = Transaction()
    house.services.robots._store.mark_deleted(transaction, get(NamespaceRow, keys.namespace(acme)), house.clock())
    transaction.commit()

    with pytest.raises(AccountUnknown):
        made(house, CI)


def test_when_a_token_was_last_used_is_told(house: House) -> None:
    robot, admin = made(house), house.signed_in("admin")
    assert robot.last_used_at is None

    house.services.doors.recognise("admin+builder", robot.token)

    used = house.services.robots.get(admin, BUILDER).last_used_at
    assert abs(used - house.clock()) < 60
    assert house.services.robots.of_namespace(admin, "admin")[0].last_used_at == used
    assert house.services.robots.regenerate(admin, BUILDER).last_used_at is None


def crashing(house: House, ask) -> None:
    """Cuts an operation off before each of its calls in turn, and repeats it each time until it is through."""
    for number in range(1, 40):
        try:
            with crash_before(house, number):
                ask(house.signed_in("admin"), number)
            return
        except Crash:
            ask(house.signed_in("admin"), number)
    raise AssertionError("an operation ends")


def test_a_crash_while_making_one_leaves_all_or_nothing(house: House) -> None:
    def ask(actor: Actor, number: int) -> None:
        name = RobotName.parse(f"admin+robot{number}")
        assert rows_like(house, "N#", f"ROBOT#{name.robot}") == []
        house.services.robots.create(actor, name)

    crashing(house, ask)


def test_a_crash_while_giving_another_token_leaves_one_that_is_good(house: House) -> None:
    made(house)

    def ask(actor: Actor, _: int) -> None:
        assert is_good(house, house.services.robots.get(house.signed_in("admin"), BUILDER).token)
        house.services.robots.regenerate(actor, BUILDER)

    crashing(house, ask)
    assert len(rows_like(house, "A#", "TOKEN#robot#")) == 1


def test_a_crash_while_removing_one_is_mended_by_removing_it_again(house: House) -> None:
    acme, admin = an_organization(house, "acme"), house.signed_in("admin")
    name = an_organization_s_repository(house).name
    for number in range(1, 40):
        robot = made(house, CI)
        a_team_with(house, acme, f"team{number}", robot.row.account_id)
        house.services.permissions.put(admin, name, "user", str(CI), Role.WRITE)
        try:
            with crash_before(house, number):
                house.services.robots.delete(admin, CI)
            break
        except Crash:
            if house.services.robots._store.find(str(CI)):
                house.services.robots.delete(admin, CI)
        assert not is_good(house, robot.token)
        left = [row for row in rows_like(house) if row["pk"][:2] in ("R#", "T#")]
        assert [row for row in left if robot.row.account_id in row["sk"]] == []
    else:
        raise AssertionError("an operation ends")

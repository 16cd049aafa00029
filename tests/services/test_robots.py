"""Robots: accounts of a namespace, made by those who administer it."""

import pytest

from chalicelib.domain.accounts import RobotName
from chalicelib.domain.errors import AccountUnknown, Denied, NameInvalid, RobotTaken, Unauthenticated
from chalicelib.domain.permissions import ANONYMOUS
from chalicelib.services.sealing import Envelope, hashed
from chalicelib.storage import keys
from chalicelib.storage.accounts import RobotRow
from chalicelib.storage.table import get
from chalicelib.storage.tokens import TokenRow
from tests.builders import an_organization
from tests.crashes import Crash, crash_before
from tests.houses import House
from tests.rows import events, rows_like

BUILDER = RobotName.parse("admin+builder")


def test_a_robot_has_a_token_that_is_read_back_by_those_who_may(house: House) -> None:
    robot, secret = house.services.robots.create(house.signed_in("admin"), BUILDER, "builds", '{"a":1}')

    stored = get(RobotRow, keys.robot(house.account("admin").id, "builder"))
    assert (stored.description, stored.metadata, stored.name) == ("builds", '{"a":1}', "builder")
    ring = Envelope(house.services.secrets.envelope)
    assert ring.open(f"{robot.account_id}/token", stored.key_id, stored.sealed_token) == secret
    assert get(TokenRow, keys.token(hashed(secret))).owner_id == robot.account_id
    assert not [row for row in rows_like(house) if secret in str(row)]
    assert len(events(house, "create_robot")) == 1


def test_an_organization_has_robots_too(house: House) -> None:
    an_organization(house, "acme")

    house.services.robots.create(house.signed_in("admin"), RobotName.parse("acme+ci"))

    assert house.account("acme+ci").kind == "robot"


def test_a_name_is_taken_once_in_its_namespace(house: House) -> None:
    house.robot("admin+builder")
    house.user("bob")
    house.robot("bob+builder")

    with pytest.raises(RobotTaken, match=r"^Existing robot with name: admin\+builder$"):
        house.robot("admin+builder")


def test_a_namespace_that_is_not_there_has_none(house: House) -> None:
    with pytest.raises(AccountUnknown):
        house.services.robots.create(house.signed_in("admin"), RobotName.parse("nobody+builder"))


@pytest.mark.parametrize("name", ["admin", "admin+", "admin+A", "+ci", "admin+a+b"])
def test_a_name_outside_the_grammar_is_refused(name: str) -> None:
    with pytest.raises(NameInvalid):
        RobotName.parse(name)


def test_others_make_no_robots_here(house: House) -> None:
    house.user("bob")

    with pytest.raises(Denied):
        house.services.robots.create(house.signed_in("bob"), BUILDER)
    with pytest.raises(Unauthenticated):
        house.services.robots.create(ANONYMOUS, BUILDER)


def test_a_crash_leaves_all_or_nothing(house: House) -> None:
    for number in range(1, 5):
        name = RobotName.parse(f"admin+robot{number}")
        try:
            with crash_before(house, number):
                house.services.robots.create(house.signed_in("admin"), name)
        except Crash:
            assert rows_like(house, "N#", f"ROBOT#robot{number}") == []
            house.services.robots.create(house.signed_in("admin"), name)
        assert len(rows_like(house, "N#", f"ROBOT#robot{number}")) == 1

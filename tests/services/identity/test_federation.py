"""Federation: rules of robots, and the tokens of others that these let in, never for longer than an hour."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.accounts import RobotName
from chalicelib.domain.errors import (
    Denied,
    FieldInvalid,
    OutgoingFailed,
    RobotUnknown,
    Unauthenticated,
    WrongCredentials,
)
from chalicelib.domain.federation import Rule
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, Role
from chalicelib.services.identity.federation import LARGEST_TOKEN
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.table import get
from tests.support.backends import House
from tests.support.builders import a_repository, an_organization
from tests.support.crashes import Crash, crash_before
from tests.support.issuer import DISCOVERY, PERMITTED, Issuer, a_key
from tests.support.rows import change, events

CI = RobotName.parse("admin+ci")
RULE = {"issuer": "https://issuer.example", "subject": "job"}


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer().running() as running:
        yield running


@pytest.fixture
def house(new_house) -> House:
    """A house with a robot, that may ask loopback."""
    made: House = new_house(outgoing_allow=PERMITTED)
    made.robot("admin+ci")
    return made


def let_in(house: House, issuer: Issuer, **more: Any) -> None:
    documents = [{"issuer": issuer.url, "subject": "job"} | more]
    house.services.federation.put(house.signed_in("admin"), CI, documents)


def name_of(house: House, token: str, name: str = "admin+ci") -> str:
    """Who signs in with a token as a password."""
    return house.services.doors.recognise(name, token).account.name


def test_rules_are_put_read_and_taken_away(house: House) -> None:
    admin, federation = house.signed_in("admin"), house.services.federation

    assert federation.rules(admin, CI) == ()
    assert federation.put(admin, CI, [RULE]) == (Rule(RULE["issuer"], "job"),)
    other = RULE | {"subject": "other", "audience": "them"}
    federation.put(admin, CI, [other])
    assert [rule.to_document() for rule in federation.rules(admin, CI)] == [other]
    for _ in range(2):
        federation.delete(admin, CI)
    assert federation.rules(admin, CI) == ()
    made, _ = events(house, "create_robot_federation")
    assert json.loads(made["metadata"]) == {"robot": "ci", "config": [RULE]}
    assert [json.loads(one["metadata"]) for one in events(house, "delete_robot_federation")] == [{"robot": "ci"}]


@pytest.mark.parametrize(
    "issuer", ["http://issuer.example", "issuer.example", "https://u:p@issuer.example", "https://issuer.example?x=1"]
)
def test_an_issuer_that_could_never_be_asked_is_refused(house: House, issuer: str) -> None:
    with pytest.raises(FieldInvalid, match="Issuer must be a URL"):
        house.services.federation.put(house.signed_in("admin"), CI, [RULE | {"issuer": issuer}])


def test_only_those_who_administer_a_robot_reach_its_rules(house: House) -> None:
    house.user("bob")
    federation, admin = house.services.federation, house.signed_in("admin")
    reader = replace(admin, scopes=frozenset({"org:admin"}), is_session=False)

    for actor, refused in ((house.signed_in("bob"), Denied), (ANONYMOUS, Unauthenticated), (reader, Denied)):
        for ask in (federation.rules, lambda actor, name: federation.put(actor, name, [RULE]), federation.delete):
            with pytest.raises(refused):
                ask(actor, CI)
    with pytest.raises(RobotUnknown):
        federation.put(admin, RobotName.parse("admin+none"), [RULE])


def test_a_token_that_a_rule_names_is_the_robots_password(house: House, issuer: Issuer) -> None:
    let_in(house, issuer)
    repository = a_repository(house, "admin/app")
    house.services.permissions.put(house.signed_in("admin"), repository.name, "user", "admin+ci", Role.WRITE)

    issued = house.services.tokens.issue(
        ("admin+ci", issuer.token(house)), None, ["repository:admin/app:pull,push"]
    )  # fmt: skip
    actor = house.services.tokens.believe(issued.token)
    assert (actor.name, actor.grants["admin/app"].actions) == ("admin+ci", {"pull", "push"})


@pytest.mark.parametrize(
    "said",
    [{"iss": "https://other.example"}, {"sub": "other"}, {"aud": "https://other.example"}, {"sub": None},
     {"aud": None}, {"exp": None}, {"iat": None}, {"nbf": None}, {"exp": 1}, {"nbf": 99999999999},
     {"iat": 1000}, {"sub": ["job"]}],
)  # fmt: skip
def test_whatever_does_not_fit_is_refused_before_anything_is_fetched(
    house: House, issuer: Issuer, said: dict[str, Any]
) -> None:
    let_in(house, issuer)

    with pytest.raises(WrongCredentials) as refused:
        name_of(house, issuer.token(house, **said))
    assert str(refused.value) == "Invalid Username or Password"
    assert issuer.asked == []


def test_a_robot_without_rules_and_others_are_refused_before_anything_is_fetched(house: House, issuer: Issuer) -> None:
    let_in(house, issuer)
    house.robot("admin+other")

    for name in ("admin+other", "admin+none", "nobody+ci", "admin+", "+", "Admin+ci", "x" * 600 + "+ci"):
        with pytest.raises(WrongCredentials):
            name_of(house, issuer.token(house), name)
    assert issuer.asked == []


@pytest.mark.parametrize("token", ["ey..", "eyJ.eyJ.x", "ey\u00e9.\u00e9.\u00e9", "e30.e30.", "eyW10.W10.x",
                                   "ey" + "x" * LARGEST_TOKEN + ".x.x"])  # fmt: skip
def test_what_is_no_token_is_refused(house: House, issuer: Issuer, token: str) -> None:
    let_in(house, issuer)

    for ask in (house.services.doors.recognise, house.services.federation.exchange):
        with pytest.raises(WrongCredentials):
            ask("admin+ci", token)


def test_a_rule_may_name_another_audience(house: House, issuer: Issuer) -> None:
    let_in(house, issuer, audience="them")

    assert name_of(house, issuer.token(house, aud=["them", "others"])) == "admin+ci"
    with pytest.raises(WrongCredentials):
        name_of(house, issuer.token(house))


def test_a_key_of_somebody_else_is_refused_and_a_new_one_taken(house: House, issuer: Issuer) -> None:
    let_in(house, issuer)
    assert name_of(house, issuer.token(house)) == "admin+ci"
    issuer.signs = a_key("ES256")
    with pytest.raises(WrongCredentials):
        name_of(house, issuer.token(house))

    issuer.sign_with(a_key("ES256"))
    house.clock.ahead_s += 61
    assert name_of(house, issuer.token(house)) == "admin+ci"


def test_an_issuer_that_does_not_answer_is_told_apart_from_a_wrong_token(house: House, issuer: Issuer) -> None:
    let_in(house, issuer)
    issuer.pages[DISCOVERY] = (302, b"", {"Location": "/"})

    with pytest.raises(OutgoingFailed):
        name_of(house, issuer.token(house))


def test_what_is_given_for_a_token_never_outlives_it(house: House, issuer: Issuer) -> None:
    let_in(house, issuer)
    now = int(house.clock())

    issued = house.services.tokens.issue(("admin+ci", issuer.token(house, exp=now + 60)), None, [])

    assert 50 < issued.expires_in <= 60
    actor = house.services.tokens.believe(issued.token)
    assert actor.until == now + 60


def test_an_exchanged_token_is_a_password_for_the_rest_of_the_hour(house: House, issuer: Issuer) -> None:
    let_in(house, issuer)
    now = int(house.clock())
    ours = house.services.federation.exchange(
        "admin+ci", issuer.token(house, iat=now - 600, exp=now + 9999), "192.0.2.1"
    )

    assert name_of(house, ours) == "admin+ci"
    (event,) = events(house, "federated_robot_token_exchange")
    assert json.loads(event["metadata"]) == {"issuer": issuer.url, "subject": "job", "robot": "ci"}
    assert (event["performer"], event["address"]) == ("admin+ci", "192.0.2.1")
    house.clock.ahead_s += 2990
    issued = house.services.tokens.issue(("admin+ci", ours), None, [])
    assert issued.expires_in <= 11
    house.clock.ahead_s += 11
    with pytest.raises(WrongCredentials):
        name_of(house, ours)


def test_an_exchanged_token_serves_a_job_that_outlasts_its_own(house: House, issuer: Issuer) -> None:
    let_in(house, issuer)
    token = issuer.token(house, exp=int(house.clock()) + 60)
    first = house.services.federation.exchange("admin+ci", token)
    house.clock.ahead_s += 50
    second = house.services.federation.exchange("admin+ci", token)

    house.clock.ahead_s += 3540
    assert [name_of(house, ours) for ours in (first, second)] == ["admin+ci"] * 2
    house.clock.ahead_s += 15
    for shown in (token, first, second):
        with pytest.raises(WrongCredentials):
            name_of(house, shown)


def test_an_exchanged_token_is_nothing_but_a_password(house: House, issuer: Issuer) -> None:
    let_in(house, issuer)
    house.robot("admin+other")
    ours = house.services.federation.exchange("admin+ci", issuer.token(house))

    with pytest.raises(WrongCredentials):
        house.services.federation.exchange("admin+ci", ours)
    with pytest.raises(WrongCredentials):
        name_of(house, ours, "admin+other")
    with pytest.raises(Unauthenticated):
        house.services.tokens.believe(ours)
    access = house.services.tokens.issue(("admin+ci", ours), None, []).token
    with pytest.raises(WrongCredentials):
        name_of(house, access)


def test_an_exchanged_token_ends_with_its_rule_its_robot_and_the_robots_secret(house: House, issuer: Issuer) -> None:
    admin, services = house.signed_in("admin"), house.services

    def ours() -> str:
        let_in(house, issuer)
        return services.federation.exchange("admin+ci", issuer.token(house))

    def again() -> None:
        services.robots.delete(admin, CI)
        services.robots.create(admin, CI)
        let_in(house, issuer)

    ends = (
        lambda: services.federation.delete(admin, CI), lambda: let_in(house, issuer, audience="them"),
        lambda: services.robots.regenerate(admin, CI), again,
    )  # fmt: skip
    for end in ends:
        token = ours()
        assert name_of(house, token) == "admin+ci"
        end()
        with pytest.raises(WrongCredentials):
            name_of(house, token)


def test_a_relay_is_given_no_longer_than_the_token_lasts(house: House, issuer: Issuer) -> None:
    let_in(house, issuer)
    name = RepositoryName.parse("admin/app")
    a_repository(house, "admin/app")
    house.services.permissions.put(house.signed_in("admin"), name, "user", "admin+ci", Role.WRITE)
    scope = ["repository:admin/app:push"]
    issued = house.services.tokens.issue(("admin+ci", issuer.token(house)), None, scope)

    prolonged = house.services.tokens.prolong(house.services.tokens.believe(issued.token), name, 86_400)

    house.services.tokens.believe(prolonged)
    house.clock.ahead_s += 301
    with pytest.raises(Unauthenticated):
        house.services.tokens.believe(prolonged)


def test_a_robot_of_who_is_gone_signs_in_no_more(house: House, issuer: Issuer) -> None:
    let_in(house, issuer)
    acme = an_organization(house, "acme")
    house.services.robots.create(house.signed_in("admin"), RobotName.parse("acme+ci"))
    documents = [{"issuer": issuer.url, "subject": "job"}]
    house.services.federation.put(house.signed_in("admin"), RobotName.parse("acme+ci"), documents)
    assert name_of(house, issuer.token(house), "acme+ci") == "acme+ci"

    change(get(NamespaceRow, keys.namespace(acme)), state="deleted")
    change(house.account("admin"), enabled=False)

    for name in ("acme+ci", "admin+ci"):
        with pytest.raises(WrongCredentials):
            name_of(house, issuer.token(house), name)


def test_a_sign_in_costs_four_reads(house: House, issuer: Issuer) -> None:
    let_in(house, issuer)
    token = issuer.token(house)
    name_of(house, token)
    house.calls.take()

    name_of(house, token)

    assert house.calls.take() == ["GetItem", "GetItem", "BatchGetItem", "GetItem"]


def test_a_crash_leaves_the_rules_before_or_after(house: House) -> None:
    admin, federation = house.signed_in("admin"), house.services.federation
    for number in range(1, 20):
        documents = [RULE | {"subject": f"job{number}"}]
        try:
            with crash_before(house, number):
                federation.put(admin, CI, documents)
        except Crash:
            assert len(federation.rules(admin, CI)) == len(events(house, "create_robot_federation")) == 0
        else:
            break
    assert len(events(house, "create_robot_federation")) == 1

"""Tests the rules of robots and sign-ins with tokens of other issuers, for an hour at most."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.accounts import RobotName
from chalicelib.domain.credentials import UploadRight
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
from chalicelib.domain.permissions import ANONYMOUS, HolderKind, Role
from chalicelib.services.identity.federation import LARGEST_TOKEN
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.table import get
from tests.support.backends import Backend
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
def backend(new_backend: Callable[..., Backend]) -> Backend:
    """A backend with a robot that may call loopback addresses."""
    made: Backend = new_backend(outgoing_allow=PERMITTED)
    made.robot("admin+ci")
    return made


def let_in(backend: Backend, issuer: Issuer, **more: Any) -> None:
    documents = [{"issuer": issuer.url, "subject": "job"} | more]
    backend.services.identity.federation.put(backend.signed_in("admin"), CI, documents)


def name_of(backend: Backend, token: str, name: str = "admin+ci") -> str:
    """Returns the account that signs in with a token as its password."""
    return backend.services.identity.authentication.recognise(name, token).account.name


def test_rules_are_set_read_and_removed(backend: Backend) -> None:
    admin, federation = backend.signed_in("admin"), backend.services.identity.federation

    assert federation.rules(admin, CI) == ()
    assert federation.put(admin, CI, [RULE]) == (Rule(RULE["issuer"], "job"),)
    other = RULE | {"subject": "other", "audience": "them"}
    federation.put(admin, CI, [other])
    assert [rule.to_document() for rule in federation.rules(admin, CI)] == [other]
    for _ in range(2):
        federation.delete(admin, CI)
    assert federation.rules(admin, CI) == ()
    made, _ = events(backend, "create_robot_federation")
    assert json.loads(made["metadata"]) == {"robot": "ci", "config": [RULE]}
    assert [json.loads(one["metadata"]) for one in events(backend, "delete_robot_federation")] == [{"robot": "ci"}]


@pytest.mark.parametrize(
    "issuer", ["http://issuer.example", "issuer.example", "https://u:p@issuer.example", "https://issuer.example?x=1"]
)
def test_an_issuer_that_may_not_be_called_is_refused(backend: Backend, issuer: str) -> None:
    with pytest.raises(FieldInvalid, match="Issuer must be a URL"):
        backend.services.identity.federation.put(backend.signed_in("admin"), CI, [RULE | {"issuer": issuer}])


def test_only_admins_of_a_robot_reach_its_rules(backend: Backend) -> None:
    backend.user("bob")
    federation, admin = backend.services.identity.federation, backend.signed_in("admin")
    reader = replace(admin, scopes=frozenset({"org:admin"}), is_session=False)

    for actor, refused in ((backend.signed_in("bob"), Denied), (ANONYMOUS, Unauthenticated), (reader, Denied)):
        for ask in (federation.rules, lambda actor, name: federation.put(actor, name, [RULE]), federation.delete):
            with pytest.raises(refused):
                ask(actor, CI)
    with pytest.raises(RobotUnknown):
        federation.put(admin, RobotName.parse("admin+none"), [RULE])


def test_a_token_that_a_rule_names_is_the_robots_password(backend: Backend, issuer: Issuer) -> None:
    let_in(backend, issuer)
    repository = a_repository(backend, "admin/app")
    backend.services.accounts.permissions.put(
        backend.signed_in("admin"), repository.name, HolderKind.USER, "admin+ci", Role.WRITE
    )

    issued = backend.services.identity.tokens.issue(
        ("admin+ci", issuer.token(backend)), None, ["repository:admin/app:pull,push"]
    )  # fmt: skip
    actor = backend.services.identity.tokens.believe(issued.token)
    assert (actor.name, actor.grants["admin/app"].actions) == ("admin+ci", frozenset({"pull", "push"}))


@pytest.mark.parametrize(
    "said",
    [{"iss": "https://other.example"}, {"sub": "other"}, {"aud": "https://other.example"}, {"sub": None},
     {"aud": None}, {"exp": None}, {"iat": None}, {"nbf": None}, {"exp": 1}, {"nbf": 99999999999},
     {"iat": 1000}, {"sub": ["job"]}],
)  # fmt: skip
def test_a_token_that_fits_no_rule_is_refused_before_anything_is_fetched(
    backend: Backend, issuer: Issuer, said: dict[str, Any]
) -> None:
    let_in(backend, issuer)

    with pytest.raises(WrongCredentials) as refused:
        name_of(backend, issuer.token(backend, **said))
    assert str(refused.value) == "Invalid Username or Password"
    assert issuer.asked == []


def test_a_robot_without_rules_and_others_are_refused_before_anything_is_fetched(
    backend: Backend, issuer: Issuer
) -> None:
    let_in(backend, issuer)
    backend.robot("admin+other")

    for name in ("admin+other", "admin+none", "nobody+ci", "admin+", "+", "Admin+ci", "x" * 600 + "+ci"):
        with pytest.raises(WrongCredentials):
            name_of(backend, issuer.token(backend), name)
    assert issuer.asked == []


@pytest.mark.parametrize("token", ["ey..", "eyJ.eyJ.x", "ey\u00e9.\u00e9.\u00e9", "e30.e30.", "eyW10.W10.x",
                                   "ey" + "x" * LARGEST_TOKEN + ".x.x"])  # fmt: skip
def test_text_that_is_not_a_token_is_refused(backend: Backend, issuer: Issuer, token: str) -> None:
    let_in(backend, issuer)

    for ask in (backend.services.identity.authentication.recognise, backend.services.identity.federation.exchange):
        with pytest.raises(WrongCredentials):
            ask("admin+ci", token)


def test_a_rule_may_name_another_audience(backend: Backend, issuer: Issuer) -> None:
    let_in(backend, issuer, audience="them")

    assert name_of(backend, issuer.token(backend, aud=["them", "others"])) == "admin+ci"
    with pytest.raises(WrongCredentials):
        name_of(backend, issuer.token(backend))


def test_an_unknown_key_is_refused_and_a_new_key_of_the_issuer_accepted(backend: Backend, issuer: Issuer) -> None:
    let_in(backend, issuer)
    assert name_of(backend, issuer.token(backend)) == "admin+ci"
    issuer.signs = a_key("ES256")
    with pytest.raises(WrongCredentials):
        name_of(backend, issuer.token(backend))

    issuer.sign_with(a_key("ES256"))
    backend.clock.ahead_s += 61
    assert name_of(backend, issuer.token(backend)) == "admin+ci"


def test_an_issuer_that_does_not_respond_is_another_error_than_a_wrong_token(backend: Backend, issuer: Issuer) -> None:
    let_in(backend, issuer)
    issuer.pages[DISCOVERY] = (302, b"", {"Location": "/"})

    with pytest.raises(OutgoingFailed):
        name_of(backend, issuer.token(backend))


def test_a_registry_token_never_outlives_the_federated_token(backend: Backend, issuer: Issuer) -> None:
    let_in(backend, issuer)
    now = int(backend.clock())

    issued = backend.services.identity.tokens.issue(("admin+ci", issuer.token(backend, exp=now + 60)), None, [])

    assert 50 < issued.expires_in <= 60
    actor = backend.services.identity.tokens.believe(issued.token)
    assert actor.until == now + 60


def test_an_exchanged_token_is_a_password_for_the_rest_of_the_hour(backend: Backend, issuer: Issuer) -> None:
    let_in(backend, issuer)
    now = int(backend.clock())
    ours = backend.services.identity.federation.exchange(
        "admin+ci", issuer.token(backend, iat=now - 600, exp=now + 9999), "192.0.2.1"
    )

    assert name_of(backend, ours) == "admin+ci"
    (event,) = events(backend, "federated_robot_token_exchange")
    assert json.loads(event["metadata"]) == {"issuer": issuer.url, "subject": "job", "robot": "ci"}
    assert (event["performer"], event["address"]) == ("admin+ci", "192.0.2.1")
    backend.clock.ahead_s += 2990
    issued = backend.services.identity.tokens.issue(("admin+ci", ours), None, [])
    assert issued.expires_in <= 11
    backend.clock.ahead_s += 11
    with pytest.raises(WrongCredentials):
        name_of(backend, ours)


def test_an_exchanged_token_serves_a_job_that_outlasts_its_own(backend: Backend, issuer: Issuer) -> None:
    let_in(backend, issuer)
    token = issuer.token(backend, exp=int(backend.clock()) + 60)
    first = backend.services.identity.federation.exchange("admin+ci", token)
    backend.clock.ahead_s += 50
    second = backend.services.identity.federation.exchange("admin+ci", token)

    backend.clock.ahead_s += 3540
    assert [name_of(backend, ours) for ours in (first, second)] == ["admin+ci"] * 2
    backend.clock.ahead_s += 15
    for shown in (token, first, second):
        with pytest.raises(WrongCredentials):
            name_of(backend, shown)


def test_an_exchanged_token_works_only_as_a_password(backend: Backend, issuer: Issuer) -> None:
    let_in(backend, issuer)
    backend.robot("admin+other")
    ours = backend.services.identity.federation.exchange("admin+ci", issuer.token(backend))

    with pytest.raises(WrongCredentials):
        backend.services.identity.federation.exchange("admin+ci", ours)
    with pytest.raises(WrongCredentials):
        name_of(backend, ours, "admin+other")
    with pytest.raises(Unauthenticated):
        backend.services.identity.tokens.believe(ours)
    access = backend.services.identity.tokens.issue(("admin+ci", ours), None, []).token
    with pytest.raises(WrongCredentials):
        name_of(backend, access)


def test_an_exchanged_token_ends_with_its_rule_its_robot_and_the_robots_secret(
    backend: Backend, issuer: Issuer
) -> None:
    admin, services = backend.signed_in("admin"), backend.services

    def ours() -> str:
        let_in(backend, issuer)
        return services.identity.federation.exchange("admin+ci", issuer.token(backend))

    def again() -> None:
        services.accounts.robots.delete(admin, CI)
        services.accounts.robots.create(admin, CI)
        let_in(backend, issuer)

    ends = (
        lambda: services.identity.federation.delete(admin, CI), lambda: let_in(backend, issuer, audience="them"),
        lambda: services.accounts.robots.regenerate(admin, CI), again,
    )  # fmt: skip
    for end in ends:
        token = ours()
        assert name_of(backend, token) == "admin+ci"
        end()
        with pytest.raises(WrongCredentials):
            name_of(backend, token)


def test_the_token_of_a_relay_ends_no_later_than_the_federated_token(backend: Backend, issuer: Issuer) -> None:
    let_in(backend, issuer)
    name = RepositoryName.parse("admin/app")
    a_repository(backend, "admin/app")
    backend.services.accounts.permissions.put(backend.signed_in("admin"), name, HolderKind.USER, "admin+ci", Role.WRITE)
    scope = ["repository:admin/app:push"]
    issued = backend.services.identity.tokens.issue(("admin+ci", issuer.token(backend)), None, scope)

    prolonged = backend.services.identity.tokens.prolong(
        backend.services.identity.tokens.believe(issued.token), name, UploadRight("upload"), 86_400
    )

    backend.services.identity.tokens.believe(prolonged)
    backend.clock.ahead_s += 301
    with pytest.raises(Unauthenticated):
        backend.services.identity.tokens.believe(prolonged)


def test_a_robot_of_a_deleted_owner_cannot_sign_in(backend: Backend, issuer: Issuer) -> None:
    let_in(backend, issuer)
    acme = an_organization(backend, "acme")
    backend.services.accounts.robots.create(backend.signed_in("admin"), RobotName.parse("acme+ci"))
    documents = [{"issuer": issuer.url, "subject": "job"}]
    backend.services.identity.federation.put(backend.signed_in("admin"), RobotName.parse("acme+ci"), documents)
    assert name_of(backend, issuer.token(backend), "acme+ci") == "acme+ci"

    change(get(NamespaceRow, keys.namespace(acme)), state="deleted")
    change(backend.account("admin"), enabled=False)

    for name in ("acme+ci", "admin+ci"):
        with pytest.raises(WrongCredentials):
            name_of(backend, issuer.token(backend), name)


def test_a_sign_in_costs_four_reads(backend: Backend, issuer: Issuer) -> None:
    let_in(backend, issuer)
    token = issuer.token(backend)
    name_of(backend, token)
    backend.calls.take()

    name_of(backend, token)

    assert backend.calls.take() == ["GetItem", "GetItem", "BatchGetItem", "GetItem"]


def test_a_crash_leaves_the_former_or_the_new_rules(backend: Backend) -> None:
    admin, federation = backend.signed_in("admin"), backend.services.identity.federation
    for number in range(1, 20):
        documents = [RULE | {"subject": f"job{number}"}]
        try:
            with crash_before(backend, number):
                federation.put(admin, CI, documents)
        except Crash:
            assert len(federation.rules(admin, CI)) == len(events(backend, "create_robot_federation")) == 0
        else:
            break
    assert len(events(backend, "create_robot_federation")) == 1


@pytest.mark.parametrize("name", ["nobody+ci", "admin+none", "admin+ci"])
def test_a_forged_token_costs_the_same_whether_namespace_and_robot_exist(backend: Backend, name: str) -> None:
    issuer = Issuer()
    forged = issuer.token(backend, iss="https://issuer.example")
    backend.calls.take()

    with pytest.raises(WrongCredentials):
        name_of(backend, forged, name)

    assert backend.calls.take() == ["GetItem", "GetItem", "BatchGetItem"]
    ours = issuer.token(backend, iss=backend.settings.url)
    with pytest.raises(WrongCredentials):
        name_of(backend, ours, name)
    assert backend.calls.take() == []

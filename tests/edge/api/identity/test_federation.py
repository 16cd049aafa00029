"""Federation over the API, in the order in which a running Quay was asked, and the exchange of tokens."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.api_client import ApiClient
from tests.support.app_client import Answer, AppClient, basic
from tests.support.builders import an_organization
from tests.support.issuer import DISCOVERY, PERMITTED, Issuer

RULE = {"issuer": "https://issuer.example.com", "subject": "sub"}
ROBOTS = ("/organization/acme/robots", "/user/robots")


@pytest.fixture
def app_client(new_app_client: Callable[..., AppClient]) -> AppClient:
    creation: AppClient = new_app_client(outgoing_allow=PERMITTED)
    return creation


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer().running() as running:
        yield running


@pytest.fixture
def alice(app_client: AppClient, visit: Callable[[str], ApiClient]) -> ApiClient:
    """Returns an owner of acme, who has a robot of her own and one of acme."""
    api_client: ApiClient = visit("alice")
    an_organization(app_client.backend, owner="alice")
    for robots in ROBOTS:
        assert api_client.put(f"{robots}/ci").status == 201
    return api_client


def exchanged(api_client: ApiClient, name: str, token: str) -> Answer:
    return api_client.app_client.ask("GET", "/oauth2/federation/robot/token", basic(name, token))


@pytest.mark.parametrize("robots", ROBOTS)
def test_rules_are_created_listed_and_removed(alice: ApiClient, robots: str) -> None:
    path = f"{robots}/ci/federation"

    assert alice.get(path).json() == []
    creation = alice.post(path, [RULE])
    assert (creation.status, creation.json()) == (200, [RULE])
    missing, no_list = alice.post(path, [{"issuer": RULE["issuer"]}]), alice.post(path, {"issuer": "x"})
    assert [(answer.status, answer.json()["error_type"]) for answer in (missing, no_list)] == [
        (400, "invalid_request")
    ] * 2
    assert alice.get(path).json() == [RULE]
    assert alice.delete(path).status == 204
    assert alice.get(path).json() == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([RULE, RULE], "Duplicate config (issuer: https://issuer.example.com, subject: sub)"),
        ([RULE | {"subject": ""}], "Missing one or more required fields (issuer, subject)"),
        ([RULE | {"issuer": "http://plain.example"}], "Issuer must be a URL"),
        ([RULE | {"issuer": "issuer.example"}], "Issuer must be a URL"),
        ([RULE | {"audience": 5}], "audience"),
        ([RULE | {"issuer": "https://" + "x" * 255}], "issuer"),
        ([5], ""),
    ],
)
def test_invalid_rules_are_refused(alice: ApiClient, body: object, message: str) -> None:
    refused = alice.post("/user/robots/ci/federation", body)

    assert refused.status == 400
    assert message in refused.json()["detail"]


def test_anonymous_and_other_callers_are_refused(
    alice: ApiClient, stranger: ApiClient, visit: Callable[[str], ApiClient]
) -> None:
    bob = visit("bob")
    path = "/organization/acme/robots/ci/federation"

    for api_client, status in ((stranger, 401), (bob, 403)):
        answers = (api_client.get(path), api_client.post(path, [RULE]), api_client.delete(path))
        assert {answer.status for answer in answers} == {status}
    assert stranger.get("/user/robots/ci/federation").status == 401
    for answer in (alice.get("/user/robots/none/federation"), alice.delete("/user/robots/UPPER/federation")):
        assert (answer.status, answer.json()["message"]) == (400, "Could not find robot with specified username")


def test_a_job_signs_in_with_its_own_token_or_an_exchanged_one(alice: ApiClient, issuer: Issuer) -> None:
    alice.post("/organization/acme/robots/ci/federation", [{"issuer": issuer.url, "subject": "job"}])
    token = issuer.token(alice.backend)

    given = exchanged(alice, "acme+ci", token)

    assert given.status == 200
    assert list(given.json()) == ["token"]
    assert given.headers["cache-control"] == "no-store"
    for secret in (token, given.json()["token"]):
        assert alice.app_client.ask("GET", "/v2/auth", basic("acme+ci", secret)).status == 200
    assert alice.delete("/organization/acme/robots/ci/federation").status == 204
    for secret in (token, given.json()["token"]):
        assert alice.app_client.ask("GET", "/v2/auth", basic("acme+ci", secret)).status == 401


def test_a_refused_token_gets_no_details(alice: ApiClient, issuer: Issuer) -> None:
    alice.post("/user/robots/ci/federation", [{"issuer": issuer.url, "subject": "other"}])
    secret = alice.get("/user/robots/ci").json()["token"]

    refusals = [
        exchanged(alice, "alice+ci", issuer.token(alice.backend)), exchanged(alice, "alice+none", "x"),
        exchanged(alice, "alice+ci", secret), exchanged(alice, "alice", "password"), exchanged(alice, "", ""),
        alice.app_client.ask("GET", "/oauth2/federation/robot/token"),
        alice.app_client.ask("GET", "/oauth2/federation/robot/token", {"Authorization": "Basic !"}),
        alice.app_client.ask("GET", "/oauth2/federation/robot/token", {"Authorization": "Bearer x"}),
    ]  # fmt: skip
    assert {(answer.status, str(answer.json())) for answer in refusals} == {
        (401, "{'error': 'Could not validate robot token'}")
    }
    assert refusals[0].headers["www-authenticate"].startswith("Basic ")
    assert refusals[0].headers["registry-challenge"] == refusals[0].headers["www-authenticate"]


def test_an_issuer_that_does_not_answer_is_reported_as_temporary(alice: ApiClient, issuer: Issuer) -> None:
    alice.post("/user/robots/ci/federation", [{"issuer": issuer.url, "subject": "job"}])
    issuer.pages[DISCOVERY] = (500, b"", {})

    assert exchanged(alice, "alice+ci", issuer.token(alice.backend)).status == 503
    signing_in = alice.app_client.ask("GET", "/v2/auth", basic("alice+ci", issuer.token(alice.backend)))
    assert (signing_in.status, signing_in.code) == (503, "UNAVAILABLE")

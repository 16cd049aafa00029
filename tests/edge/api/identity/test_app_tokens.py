"""App tokens over the API, in the order in which a running Quay was asked."""

import base64
from collections.abc import Callable

import pytest

from tests.support.api_client import ApiClient

MINE, ALL = "/user/apptoken", "/superuser/apptokens"


@pytest.fixture
def alice(visit: Callable[[str], ApiClient]) -> ApiClient:
    api_client: ApiClient = visit("alice")
    return api_client


def sign_in(api_client: ApiClient, secret: str) -> int:
    header = "Basic " + base64.b64encode(f"$app:{secret}".encode()).decode()
    return api_client.app_client.ask("GET", "/v2/auth", {"Authorization": header}).status


def test_a_token_is_created_read_and_revoked(alice: ApiClient, visit: Callable[[str], ApiClient]) -> None:
    assert alice.get(MINE).json() == {"tokens": [], "only_expiring": None}
    creation = alice.post(MINE, {"title": "laptop"})
    assert creation.status == 200
    token = creation.json()["token"]
    document = {
        "uuid": token["uuid"], "title": "laptop", "last_accessed": None, "created": token["created"], "expiration": None
    }  # fmt: skip
    assert token == document | {"token_code": token["token_code"]}
    assert token["created"].endswith(" -0000")
    assert alice.get(MINE).json() == {"tokens": [document], "only_expiring": None}
    assert alice.get(f"{MINE}?expiring=true").json() == {"tokens": [], "only_expiring": True}
    assert alice.get(f"{MINE}?expiring=false").json() == {"tokens": [document], "only_expiring": False}
    assert alice.get(f"{MINE}/{token['uuid']}").json() == {"token": token}
    assert visit("bob").get(f"{MINE}/{token['uuid']}").json()["error_type"] == "not_found"
    assert alice.get(f"{MINE}/none").status == 404
    assert sign_in(alice, token["token_code"]) == 200
    assert alice.delete(f"{MINE}/{token['uuid']}").status == 204
    assert alice.delete(f"{MINE}/{token['uuid']}").status == 404
    assert sign_in(alice, token["token_code"]) == 401


def test_a_token_may_expire(alice: ApiClient) -> None:
    token = alice.post(MINE, {"title": "ci", "expiration": 60}).json()["token"]

    assert token["expiration"].endswith(" -0000")
    assert [one["uuid"] for one in alice.get(f"{MINE}?expiring=true").json()["tokens"]] == [token["uuid"]]
    alice.backend.clock.ahead_s += 61
    assert sign_in(alice, token["token_code"]) == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "the body"), ({"friendlyName": "laptop"}, "the body"), ({"title": 5}, "title"), ({"title": ""}, "title"),
     ({"title": "a", "expiration": 0}, "expiration"), ({"title": "a", "expiration": "x"}, "expiration")],
)  # fmt: skip
def test_a_bad_body_is_refused(alice: ApiClient, body: dict[str, object], field: str) -> None:
    refused = alice.post(MINE, body)

    assert (refused.status, refused.json()["error_type"]) == (400, "invalid_request")
    assert refused.json()["detail"].startswith(f"{field}: ")


def test_a_session_without_a_fresh_password_only_lists(alice: ApiClient, admin: ApiClient) -> None:
    uuid = alice.post(MINE, {"title": "laptop"}).json()["token"]["uuid"]
    alice.backend.clock.ahead_s += alice.backend.settings.fresh_s + 1

    answers = (alice.post(MINE, {"title": "x"}), alice.get(f"{MINE}/{uuid}"), alice.delete(f"{MINE}/{uuid}"),
             admin.get(ALL))  # fmt: skip
    assert {(answer.status, answer.json()["error_type"]) for answer in answers} == {(401, "fresh_login_required")}
    assert alice.get(MINE).status == 200


def test_a_superuser_lists_the_tokens_of_all_users(alice: ApiClient, admin: ApiClient) -> None:
    token = alice.post(MINE, {"title": "laptop"}).json()["token"]

    answer = admin.get(ALL).json()

    assert answer["only_expiring"] is None
    assert [(one["uuid"], one["username"]) for one in answer["tokens"]] == [(token["uuid"], "alice")]
    assert token["token_code"] not in str(answer)
    assert "next_page" not in answer
    assert admin.get(f"{ALL}?expiring=true&next_page=x").json() == {"tokens": [], "only_expiring": True}


def test_anonymous_and_other_callers_are_refused(alice: ApiClient, stranger: ApiClient) -> None:
    answers = (
        stranger.get(MINE), stranger.post(MINE, {"title": "x"}), stranger.get(f"{MINE}/x"),
        stranger.delete(f"{MINE}/x"), stranger.get(ALL),
    )  # fmt: skip
    assert {answer.status for answer in answers} == {401}
    assert alice.get(ALL).status == 403

"""Robots over the API, in the order in which a running Quay was asked."""

from collections.abc import Callable

import pytest

from chalicelib.domain.permissions import HolderKind, Role
from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient, basic
from tests.support.builders import a_repository, an_organization

THEIRS, MINE = "/organization/acme/robots", "/user/robots"
UNKNOWN = "Could not find robot with specified username"
WORDS = {"description": "builds", "unstructured_metadata": {"a": "b"}}


@pytest.fixture
def alice(app_client: AppClient, visit: Callable[[str], ApiClient]) -> ApiClient:
    """Returns an owner of acme."""
    api_client: ApiClient = visit("alice")
    an_organization(app_client.backend, owner="alice")
    return api_client


@pytest.mark.parametrize(("robots", "owner"), [(THEIRS, "acme"), (MINE, "alice")])
def test_a_robot_is_created_read_renewed_and_deleted(alice: ApiClient, robots: str, owner: str) -> None:
    assert alice.get(robots).json() == {"robots": []}
    creation = alice.put(f"{robots}/ci", WORDS)
    assert creation.status == 201
    robot = creation.json()
    token, created = robot["token"], robot["created"]
    assert created.endswith(" -0000")
    document = {
        "name": f"{owner}+ci",
        "created": created,
        "last_accessed": None,
        "description": "builds",
        "token": token,
    }
    assert robot == document | {"unstructured_metadata": {"a": "b"}}
    again = alice.put(f"{robots}/ci", {"description": "again"})
    assert (again.status, again.json()["error_type"]) == (400, "invalid_request")
    assert again.json()["detail"] == f"Existing robot with name: {owner}+ci"
    plain = alice.put(f"{robots}/plain")
    assert (plain.status, plain.json()["description"], plain.json()["unstructured_metadata"]) == (201, "", None)
    assert alice.get(f"{robots}/ci").json() == robot

    renewed = alice.post(f"{robots}/ci/regenerate").json()
    assert renewed == document | {"token": renewed["token"]}
    assert renewed["token"] != token
    assert alice.app_client.ask("GET", "/v2/auth", basic(f"{owner}+ci", token)).status == 401
    assert alice.app_client.ask("GET", "/v2/auth", basic(f"{owner}+ci", renewed["token"])).status == 200
    assert alice.delete(f"{robots}/ci").status == 204
    deletion = alice.delete(f"{robots}/ci")
    assert (deletion.status, deletion.json()["message"]) == (400, UNKNOWN)
    assert alice.app_client.ask("GET", "/v2/auth", basic(f"{owner}+ci", renewed["token"])).status == 401


@pytest.mark.parametrize("robots", [THEIRS, MINE])
def test_an_unknown_robot_is_reported_in_quays_words(alice: ApiClient, robots: str) -> None:
    for name in ("none", "UPPER", "a", "x" * 3000, "a%00b", "caf%C3%A9"):
        answers = (
            alice.get(f"{robots}/{name}"), alice.delete(f"{robots}/{name}"),
            alice.get(f"{robots}/{name}/permissions"), alice.post(f"{robots}/{name}/regenerate"),
        )  # fmt: skip
        assert [(answer.status, answer.json()["message"]) for answer in answers] == [(400, UNKNOWN)] * 4


def test_a_bad_name_is_refused_in_quays_words(alice: ApiClient) -> None:
    assert alice.put(f"{THEIRS}/UPPER", {}).json()["detail"] == (
        "The name for the robot 'UPPER' is invalid: Namespace must match expression ^([a-z0-9]+(?:[._-][a-z0-9]+)*)$"
    )
    assert alice.put(f"{THEIRS}/a-b", {}).status == 201
    for name in ("a", "a" * 251, "a%252Fb", "x" * 3000):
        assert alice.put(f"{THEIRS}/{name}", {}).status == 400


@pytest.mark.parametrize(
    "body", [{"description": "x" * 256}, {"description": 5}, {"unstructured_metadata": []}, [], b"{"]
)
def test_a_bad_body_is_refused(alice: ApiClient, body: object) -> None:
    assert alice.put(f"{MINE}/ci", body).status == 400


@pytest.mark.parametrize("overlap_s", [-1, 10**9, "an hour", 1.5])
def test_a_bad_overlap_is_refused_by_its_name(alice: ApiClient, overlap_s: object) -> None:
    alice.put(f"{MINE}/ci")

    refused = alice.post(f"{MINE}/ci/regenerate", {"overlap_s": overlap_s})

    assert (refused.status, refused.json()["detail"].partition(":")[0]) == (400, "overlap_s")


def test_the_old_token_stays_valid_for_the_overlap(alice: ApiClient) -> None:
    before = alice.put(f"{MINE}/ci").json()["token"]

    after = alice.post(f"{MINE}/ci/regenerate", {"overlap_s": 60}).json()["token"]

    for token in (before, after):
        assert alice.app_client.ask("GET", "/v2/auth", basic("alice+ci", token)).status == 200
    alice.backend.clock.ahead_s += 61
    assert alice.app_client.ask("GET", "/v2/auth", basic("alice+ci", before)).status == 401


def test_a_list_has_the_fields_that_were_asked_for(alice: ApiClient, app_client: AppClient) -> None:
    for name in ("ci", "plain", "a-b"):
        alice.put(f"{MINE}/{name}")
        app_client.backend.clock.ahead_s += 1
    repository = a_repository(app_client.backend, "alice/app")
    alice_herself = app_client.backend.signed_in("alice")
    app_client.backend.services.accounts.permissions.put(
        alice_herself, repository.name, HolderKind.USER, "alice+ci", Role.READ
    )

    listed = alice.get(f"{MINE}?permissions=true&token=true").json()["robots"]
    assert [robot["name"] for robot in listed] == ["alice+a-b", "alice+plain", "alice+ci"]
    assert [robot["repositories"] for robot in listed] == [[], [], ["app"]]
    assert all(robot["token"] and robot["teams"] == [] for robot in listed)
    assert set(listed[0]) == {"name", "created", "last_accessed", "teams", "repositories", "description", "token"}
    cut = alice.get(f"{MINE}?permissions=true&token=false&limit=2").json()["robots"]
    assert [set(robot) for robot in cut] == [set(listed[0]) - {"token"}] * 2
    assert set(alice.get(MINE).json()["robots"][0]) == {"name", "created", "last_accessed", "description", "token"}
    assert list(alice.get(f"{MINE}?limit=some").json()["message"]) == ["limit"]
    assert alice.get(f"{MINE}/ci/permissions").json() == {
        "permissions": [{"repository": {"name": "app", "is_public": False}, "role": "read"}]
    }


def test_anonymous_and_other_callers_are_refused(
    alice: ApiClient, stranger: ApiClient, visit: Callable[[str], ApiClient]
) -> None:
    alice.put(f"{THEIRS}/ci")
    bob = visit("bob")

    for api_client, status in ((stranger, 401), (bob, 403)):
        answers = (
            api_client.get(THEIRS), api_client.put(f"{THEIRS}/evil", {}), api_client.get(f"{THEIRS}/ci"),
            api_client.delete(f"{THEIRS}/ci"), api_client.post(f"{THEIRS}/ci/regenerate"),
            api_client.get(f"{THEIRS}/ci/permissions"),
        )  # fmt: skip
        assert {answer.status for answer in answers} == {status}
    assert bob.get(THEIRS).json()["error_type"] == "insufficient_scope"
    assert stranger.get(MINE).status == 401
    assert bob.get(f"{MINE}/ci").status == 400
    assert bob.get("/organization/none/robots").status == 404


def test_a_superuser_cannot_change_robots_of_others(alice: ApiClient, admin: ApiClient) -> None:
    alice.put(f"{THEIRS}/ci")

    assert admin.get(f"{THEIRS}/ci").status == 403
    assert admin.get("/organization/alice/robots").status == 403

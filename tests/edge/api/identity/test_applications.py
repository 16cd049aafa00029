"""OAuth applications over the API."""

from collections.abc import Callable

import pytest

from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.builders import an_organization

APPLICATIONS = "/organization/acme/applications"
BOT = {"name": "bot", "redirect_uri": "https://bot.example.com/back", "description": "Builds."}


@pytest.fixture(autouse=True)
def _acme(app_client: AppClient) -> None:
    an_organization(app_client.backend)


def test_an_application_is_created_read_changed_and_removed(admin: ApiClient) -> None:
    creation = admin.post(APPLICATIONS, BOT)
    assert creation.status == 200
    path = f"{APPLICATIONS}/{creation.json()['client_id']}"

    assert admin.get(path).json() == creation.json()
    assert admin.get(APPLICATIONS).json() == {"applications": [creation.json()]}
    changed = admin.put(path, {"name": "robot", "redirect_uri": "", "application_uri": ""}).json()
    assert (changed["name"], changed["description"]) == ("robot", "")
    assert admin.post(path + "/resetclientsecret").json()["client_secret"] != creation.json()["client_secret"]
    assert admin.delete(path).status == 204
    assert admin.get(path).status == 404


def test_everybody_sees_an_application_without_its_secret(admin: ApiClient, stranger: ApiClient) -> None:
    creation = admin.post(APPLICATIONS, BOT).json()

    document = stranger.get(f"/app/{creation['client_id']}").json()
    assert (document["name"], document["organization"]["name"]) == ("bot", "acme")
    assert creation["client_secret"] not in str(document)


def test_a_token_is_shown_once_listed_and_revoked(admin: ApiClient) -> None:
    path = f"{APPLICATIONS}/{admin.post(APPLICATIONS, BOT).json()['client_id']}/tokens"

    creation = admin.post(path, {"name": "ci", "scope": "repo:read user:read", "expiration": 60})
    assert creation.status == 200
    assert ApiClient(admin.app_client, creation.json()["token"]).get("/user").json()["username"] == "admin"
    (listed,) = admin.get(path).json()["tokens"]
    assert "token" not in listed
    assert listed["scope"] == "repo:read user:read"
    assert admin.delete(f"{path}/{listed['uuid']}").status == 204
    assert admin.delete(f"{path}/{listed['uuid']}").status == 404
    assert ApiClient(admin.app_client, creation.json()["token"]).get("/user").status == 401


@pytest.mark.parametrize(
    "body", [{}, {"name": "ci"}, {"name": "ci", "scope": "fly"}, {"name": "", "scope": "repo:read"},
             {"name": "ci", "scope": "repo:read", "expiration": 0}, {"name": "ci", "scope": 5}]
)  # fmt: skip
def test_an_invalid_token_request_is_refused(admin: ApiClient, body: dict[str, object]) -> None:
    path = f"{APPLICATIONS}/{admin.post(APPLICATIONS, BOT).json()['client_id']}/tokens"

    assert admin.post(path, body).status == 400


def test_a_user_lists_and_revokes_authorizations(admin: ApiClient) -> None:
    client = admin.post(APPLICATIONS, BOT).json()["client_id"]
    admin.post(f"{APPLICATIONS}/{client}/tokens", {"name": "ci", "scope": "repo:read"})

    (given,) = admin.get("/user/authorizations").json()["authorizations"]
    assert given["application"]["name"] == "bot"
    assert [scope["scope"] for scope in given["scopes"]] == ["repo:read"]
    path = f"/user/authorizations/{given['uuid']}"
    assert admin.get(path).json() == given
    assert admin.delete(path).status == 204
    assert admin.get(path).status == 404
    assert admin.get("/user/authorizations").json() == {"authorizations": []}


def test_anonymous_and_other_callers_are_refused(stranger: ApiClient, visit: Callable[[str], ApiClient]) -> None:
    bob = visit("bob")

    assert stranger.get(APPLICATIONS).status == 401
    assert bob.get(APPLICATIONS).status == 403
    assert bob.post(APPLICATIONS, BOT).status == 403
    assert bob.get("/organization/none/applications").status == 404

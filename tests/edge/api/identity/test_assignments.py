"""Offers of tokens over the API."""

from collections.abc import Callable
from urllib.parse import urlencode

import pytest

from chalicelib.services.identity.applications import ApplicationFields
from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.builders import an_organization

LIST = "/user/assignedauthorization"
LOCAL = "http://registry.test/oauth/localapp"


@pytest.fixture
def query(app_client: AppClient) -> dict[str, str]:
    an_organization(app_client.backend)
    creation = app_client.backend.services.identity.applications.create(
        app_client.backend.signed_in("admin"), "acme", ApplicationFields("bot")
    )
    return {"client_id": creation.client_id, "redirect_uri": LOCAL, "scope": "repo:read"}


def offer(api_client: ApiClient, query: dict[str, str]) -> str:
    return "//oauth/authorize/assignuser?" + urlencode({**query, "format": "json"})


def test_a_user_sees_an_offered_token_and_accepts_it(
    admin: ApiClient, query: dict[str, str], visit: Callable[[str], ApiClient]
) -> None:
    bob = visit("bob")
    creation = admin.post(offer(admin, {**query, "username": "bob"}))
    assert (creation.status, creation.json()) == (200, {"message": "Token assigned successfully"})

    (assignment,) = bob.get(LIST).json()["authorizations"]
    assert (assignment["redirectUri"], assignment["responseType"]) == (LOCAL, "token")
    assert [scope["scope"] for scope in assignment["scopes"]] == ["repo:read"]
    assert assignment["application"]["clientId"] == query["client_id"]
    question = {**query, "response_type": "token", "assignment_uuid": assignment["uuid"]}
    page = bob.get("//oauth/authorize?" + urlencode({**question, "format": "json"}))
    assert (page.status, page.json()["assignment_uuid"]) == (200, assignment["uuid"])
    form = urlencode({**question, "_csrf_token": bob.csrf}).encode()
    sent = bob.post("//oauth/authorizeapp", form, Content_Type="application/x-www-form-urlencoded")
    assert sent.status == 302
    assert "access_token=" in sent.headers["location"]
    assert bob.get(LIST).json() == {"authorizations": []}


def test_an_offer_is_declined(admin: ApiClient, query: dict[str, str], visit: Callable[[str], ApiClient]) -> None:
    bob = visit("bob")
    admin.post(offer(admin, {**query, "username": "bob"}))
    (assignment,) = bob.get(LIST).json()["authorizations"]

    assert [bob.delete(f"{LIST}/{assignment['uuid']}").status for _ in range(2)] == [204, 404]


def test_only_administrators_offer_valid_tokens(
    stranger: ApiClient, admin: ApiClient, query: dict[str, str], visit: Callable[[str], ApiClient]
) -> None:
    offered = {**query, "username": "admin"}

    assert stranger.post(offer(stranger, offered)).status == 401
    assert visit("bob").post(offer(admin, offered)).status == 403
    assert admin.post(offer(admin, {**offered, "username": "nobody"})).json()["detail"] == "username: Unknown user"
    assert admin.post(offer(admin, {**offered, "scope": "nonsense"})).status == 400
    assert stranger.get(LIST).status == 401

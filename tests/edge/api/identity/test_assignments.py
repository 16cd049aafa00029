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
def asked(app_client: AppClient) -> dict[str, str]:
    an_organization(app_client.backend)
    made = app_client.backend.services.identity.applications.create(
        app_client.backend.signed_in("admin"), "acme", ApplicationFields("bot")
    )
    return {"client_id": made.client_id, "redirect_uri": LOCAL, "scope": "repo:read"}


def offer(api_client: ApiClient, asked: dict[str, str]) -> str:
    return "//oauth/authorize/assignuser?" + urlencode({**asked, "format": "json"})


def test_a_user_is_offered_a_token_sees_what_it_is_and_takes_it(
    admin: ApiClient, asked: dict[str, str], visit: Callable[[str], ApiClient]
) -> None:
    bob = visit("bob")
    made = admin.post(offer(admin, {**asked, "username": "bob"}))
    assert (made.status, made.json()) == (200, {"message": "Token assigned successfully"})

    (told,) = bob.get(LIST).json()["authorizations"]
    assert (told["redirectUri"], told["responseType"]) == (LOCAL, "token")
    assert [scope["scope"] for scope in told["scopes"]] == ["repo:read"]
    assert told["application"]["clientId"] == asked["client_id"]
    question = {**asked, "response_type": "token", "assignment_uuid": told["uuid"]}
    page = bob.get("//oauth/authorize?" + urlencode({**question, "format": "json"}))
    assert (page.status, page.json()["assignment_uuid"]) == (200, told["uuid"])
    form = urlencode({**question, "_csrf_token": bob.csrf}).encode()
    sent = bob.post("//oauth/authorizeapp", form, Content_Type="application/x-www-form-urlencoded")
    assert sent.status == 302
    assert "access_token=" in sent.headers["location"]
    assert bob.get(LIST).json() == {"authorizations": []}


def test_an_offer_is_declined(admin: ApiClient, asked: dict[str, str], visit: Callable[[str], ApiClient]) -> None:
    bob = visit("bob")
    admin.post(offer(admin, {**asked, "username": "bob"}))
    (told,) = bob.get(LIST).json()["authorizations"]

    assert [bob.delete(f"{LIST}/{told['uuid']}").status for _ in range(2)] == [204, 404]


def test_nobody_else_offers_anything(
    stranger: ApiClient, admin: ApiClient, asked: dict[str, str], visit: Callable[[str], ApiClient]
) -> None:
    wanted = {**asked, "username": "admin"}

    assert stranger.post(offer(stranger, wanted)).status == 401
    assert visit("bob").post(offer(admin, wanted)).status == 403
    assert admin.post(offer(admin, {**wanted, "username": "nobody"})).json()["field"] == "username"
    assert admin.post(offer(admin, {**wanted, "scope": "nonsense"})).status == 400
    assert stranger.get(LIST).status == 401

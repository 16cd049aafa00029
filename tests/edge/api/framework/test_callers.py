"""Who calls: a token or a cookie, never both, never a password."""

import base64

import pytest

from chalicelib.services.identity.applications import ApplicationFields
from chalicelib.services.identity.authorizations import TokenRequest
from tests.support.api_client import Visitor
from tests.support.app_client import Door
from tests.support.builders import an_organization


@pytest.fixture
def token(door: Door) -> str:
    an_organization(door.backend)
    admin = door.backend.signed_in("admin")
    made = door.backend.services.identity.applications.create(admin, "acme", ApplicationFields("bot"))
    return (
        door.backend.services.identity.authorizations.create(
            admin, "acme", made.client_id, TokenRequest("ci", "user:admin")
        ).secret
        or ""
    )


def test_a_bearer_token_speaks_for_its_user_and_needs_no_csrf_token(door: Door, token: str) -> None:
    script = Visitor(door, token)

    assert script.get("/user").json()["username"] == "admin"
    assert script.put("/user/", {"company": "Acme"}).status == 200


def test_a_bearer_token_that_is_none_of_ours_speaks_for_nobody_whatever_the_cookie_says(admin: Visitor) -> None:
    for shown in ("nonsense", "cbo_" + "x" * 43, ""):
        answer = admin.get("/user", Authorization=f"Bearer {shown}")
        assert answer.status == 401
        changed = admin.put("/user/", {"company": "Acme"}, Authorization=f"Bearer {shown}")
        assert changed.status in (401, 403)


def test_a_password_is_no_way_into_the_api(stranger: Visitor) -> None:
    basic = base64.b64encode(b"admin:password").decode()

    assert stranger.get("/user", Authorization=f"Basic {basic}").status == 401


def test_a_robots_token_is_no_way_into_the_api(door: Door) -> None:
    _, secret = door.backend.robot("admin+ci")

    assert Visitor(door, secret).get("/user").status == 401


def test_a_registrys_token_is_no_way_into_the_api(door: Door) -> None:
    assert Visitor(door, door.backend.token("admin", "admin/app")).get("/user").status == 401


@pytest.mark.parametrize("cookie", ["session=nonsense", "session", "=;;", "a=b; session=cbs_" + "x" * 43])
def test_a_cookie_that_is_none_of_ours_speaks_for_nobody(stranger: Visitor, cookie: str) -> None:
    assert stranger.get("/user", Cookie=cookie).status == 401


def test_a_csrf_token_may_stand_in_the_address(admin: Visitor) -> None:
    csrf, admin.csrf = admin.csrf, "other"

    assert admin.put(f"/user/?_csrf_token={csrf}", {"company": "Acme"}).status == 403
    admin.csrf = ""
    answer = admin.door.ask(
        "PUT",
        f"/api/v1/user/?_csrf_token={csrf}",
        {"Cookie": f"session={admin.cookie}", "Content-Type": "application/json"},
        b'{"company": "Acme"}',
    )
    assert answer.status == 200


def test_behind_https_the_cookie_is_one_that_nobody_else_can_set(new_door) -> None:
    door = new_door(url="https://registry.example.com")
    answer = door.ask("GET", "/csrf_token")

    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-session=stranger.")
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Lax; Secure")
    assert (
        door.ask("GET", "/csrf_token", {"Cookie": cookie.partition(";")[0].replace("__Host-", "")}).headers[
            "set-cookie"
        ]
        != cookie
    )


def test_over_plain_http_the_cookie_works_in_scripts(door: Door) -> None:
    assert door.ask("GET", "/csrf_token").headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Lax")

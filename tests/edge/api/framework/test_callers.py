"""The caller of the API: the owner of a token or of a cookie, never of both, never by password."""

import base64
from collections.abc import Callable

import pytest

from chalicelib.services.identity.applications import ApplicationFields
from chalicelib.services.identity.authorizations import TokenRequest
from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.builders import an_organization


@pytest.fixture
def token(app_client: AppClient) -> str:
    an_organization(app_client.backend)
    admin = app_client.backend.signed_in("admin")
    application = app_client.backend.services.identity.applications.create(admin, "acme", ApplicationFields("bot"))
    return (
        app_client.backend.services.identity.authorizations.create(
            admin, "acme", application.client_id, TokenRequest("ci", "user:admin")
        ).secret
        or ""
    )


def test_a_bearer_token_identifies_its_user_and_needs_no_csrf_token(app_client: AppClient, token: str) -> None:
    script = ApiClient(app_client, token)

    assert script.get("/user").json()["username"] == "admin"
    assert script.put("/user/", {"company": "Acme"}).status == 200


def test_an_invalid_bearer_token_is_anonymous_whatever_the_cookie(admin: ApiClient) -> None:
    for shown in ("nonsense", "cbo_" + "x" * 43, ""):
        answer = admin.get("/user", Authorization=f"Bearer {shown}")
        assert answer.status == 401
        changed = admin.put("/user/", {"company": "Acme"}, Authorization=f"Bearer {shown}")
        assert changed.status in (401, 403)


def test_a_password_is_not_accepted(stranger: ApiClient) -> None:
    basic = base64.b64encode(b"admin:password").decode()

    assert stranger.get("/user", Authorization=f"Basic {basic}").status == 401


def test_a_robot_s_token_is_not_accepted(app_client: AppClient) -> None:
    _, secret = app_client.backend.robot("admin+ci")

    assert ApiClient(app_client, secret).get("/user").status == 401


def test_a_token_of_the_registry_is_not_accepted(app_client: AppClient) -> None:
    assert ApiClient(app_client, app_client.backend.token("admin", "admin/app")).get("/user").status == 401


@pytest.mark.parametrize("cookie", ["session=nonsense", "session", "=;;", "a=b; session=cbs_" + "x" * 43])
def test_an_invalid_cookie_is_anonymous(stranger: ApiClient, cookie: str) -> None:
    assert stranger.get("/user", Cookie=cookie).status == 401


@pytest.mark.parametrize(
    "value",
    [r'"cbs_x\015\012Set-Cookie: a=b"', r'"cbs_x\012"', r'"cbs_x\073 Domain=example.com"', r'"cbs_\000"',
     r'"cbs_a\054b"', r'"stranger.x\015\012y"'],
)  # fmt: skip
@pytest.mark.parametrize(("method", "path"), [("GET", "//csrf_token"), ("GET", "/user"), ("POST", "/signout")])
def test_a_cookie_that_no_header_could_carry_back_is_refused(
    stranger: ApiClient, value: str, method: str, path: str
) -> None:
    stranger.csrf = "any"
    answer = stranger.ask(method, path, None, Cookie=f"session={value}")

    assert answer.status == 400
    assert "Cookie" in answer.json()["detail"]
    assert "set-cookie" not in answer.headers


def test_a_csrf_token_may_be_a_query_parameter(admin: ApiClient) -> None:
    csrf, admin.csrf = admin.csrf, "other"

    assert admin.put(f"/user/?_csrf_token={csrf}", {"company": "Acme"}).status == 403
    admin.csrf = ""
    answer = admin.app_client.ask(
        "PUT",
        f"/api/v1/user/?_csrf_token={csrf}",
        {"Cookie": f"session={admin.cookie}", "Content-Type": "application/json"},
        b'{"company": "Acme"}',
    )
    assert answer.status == 200


def test_behind_https_the_cookie_has_the_host_prefix(new_app_client: Callable[..., AppClient]) -> None:
    app_client = new_app_client(url="https://registry.example.com")
    answer = app_client.ask("GET", "/csrf_token")

    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-session=stranger.")
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Lax; Secure")
    assert (
        app_client.ask("GET", "/csrf_token", {"Cookie": cookie.partition(";")[0].replace("__Host-", "")}).headers[
            "set-cookie"
        ]
        != cookie
    )


def test_over_plain_http_the_cookie_works_in_scripts(app_client: AppClient) -> None:
    assert app_client.ask("GET", "/csrf_token").headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Lax")

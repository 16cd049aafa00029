"""`/v2/auth`."""

from __future__ import annotations

import datetime
from typing import Any
from urllib.parse import urlencode

from tests.support.app_client import Answer, AppClient, basic

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def post(app_client: AppClient, **fields: Any) -> Answer:
    return app_client.ask("POST", "/v2/auth", FORM, urlencode(fields, doseq=True).encode())


def grants(app_client: AppClient, answer: Answer) -> dict[str, set[str]]:
    actor = app_client.backend.services.identity.tokens.believe(answer.json()["token"])
    return {name: set(grant.actions) for name, grant in actor.grants.items()}


def test_a_token_is_returned_under_both_names_with_its_lifetime_in_seconds(app_client: AppClient) -> None:
    answer = app_client.ask("GET", "/v2/auth?service=registry.test", basic("admin", "password"))
    document = answer.json()

    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert document["token"] == document["access_token"]
    assert (document["token_type"], document["expires_in"]) == ("Bearer", 300)
    assert datetime.datetime.fromisoformat(document["issued_at"]).tzinfo is datetime.UTC
    assert document["issued_at"].endswith("Z")


def test_the_token_grants_the_permitted_part_of_each_scope(app_client: AppClient) -> None:
    app_client.backend.user("bob")
    target = "/v2/auth?scope=repository:bob/app:pull,push&scope=repository:admin/app:pull%20registry:catalog:*"
    answer = app_client.ask("GET", target, basic("bob", "password"))

    assert grants(app_client, answer) == {"bob/app": {"pull", "push"}, "admin/app": set()}


def test_an_anonymous_client_gets_a_token_without_grants(app_client: AppClient) -> None:
    answer = app_client.ask("GET", "/v2/auth?scope=repository:admin/app:pull")

    assert grants(app_client, answer) == {"admin/app": set()}
    assert app_client.backend.services.identity.tokens.believe(answer.json()["token"]).is_anonymous


def test_a_form_is_accepted_like_a_header(app_client: AppClient) -> None:
    answer = post(
        app_client, grant_type="password", username="admin", password="password", scope=["repository:admin/app:pull"]
    )

    assert grants(app_client, answer) == {"admin/app": {"pull"}}


def test_a_form_without_credentials_falls_back_to_the_header(app_client: AppClient) -> None:
    answer = app_client.ask("POST", "/v2/auth", FORM | basic("admin", "password"), b"scope=repository:admin/app:pull")

    assert grants(app_client, answer) == {"admin/app": {"pull"}}


def test_a_robot_signs_in_with_its_token(app_client: AppClient) -> None:
    _, secret = app_client.backend.robot("admin+ci")

    assert app_client.ask("GET", "/v2/auth", basic("admin+ci", secret)).status == 200
    assert post(app_client, username="admin+ci", password=secret).status == 200
    assert app_client.ask("GET", "/v2/auth", basic("admin+ci", secret[:-1])).status == 401


def test_a_password_may_have_colons_and_any_letters(app_client: AppClient) -> None:
    app_client.backend.services.accounts.accounts.create_user("carol", "a:b:caf\u00e9+&=%")

    assert app_client.ask("GET", "/v2/auth", basic("carol", "a:b:caf\u00e9+&=%")).status == 200
    assert post(app_client, username="carol", password="a:b:caf\u00e9+&=%").status == 200


def test_a_wrong_name_and_a_wrong_password_get_the_same_answer(app_client: AppClient) -> None:
    wrong = [("admin", "wrong"), ("nobody", "password"), ("", "password"), ("admin", ""), ("Admin", "password")]
    for name, secret in wrong:
        answer = app_client.ask("GET", "/v2/auth", basic(name, secret))

        assert (name, answer.status) == (name, 401)
        assert answer.json()["errors"] == [{"code": "UNAUTHORIZED", "message": "Invalid Username or Password"}]


def test_an_impossible_name_gets_the_same_answer(app_client: AppClient) -> None:
    """DynamoDB refuses keys over 2,048 bytes, so an unchecked name must not become one."""
    for name in ("a" * 300, "a" * 3000, "caf\u00e9", "a\x00b", "a#b", "\U0001f600"):
        answers = (
            app_client.ask("GET", "/v2/auth", basic(name, "password")),
            post(app_client, username=name, password="password"),
        )

        assert [(name, answer.status, answer.code) for answer in answers] == [(name, 401, "UNAUTHORIZED")] * 2


def test_an_unreadable_header_is_401(app_client: AppClient) -> None:
    basics = ["Basic", "Basic ", "Basic !!!", "Basic YWRtaW4=", "Basic /w==", "Basic \xe9"]
    for value in (*basics, "Bearer abc", "Digest x", "YWRtaW46cGFzc3dvcmQ="):
        answer = app_client.ask("GET", "/v2/auth", {"Authorization": value})

        assert (value, answer.status, answer.code) == (value, 401, "UNAUTHORIZED")


def test_a_refresh_token_is_refused_since_none_is_issued(app_client: AppClient) -> None:
    answer = post(app_client, grant_type="refresh_token", refresh_token="x")

    assert answer.status == 401
    assert "use password" in answer.json()["errors"][0]["message"]


def test_an_unsupported_request_is_refused_with_a_reason(app_client: AppClient) -> None:
    many = "+".join(f"repository:a/b{number}:pull" for number in range(101))
    for query in ("service=other.test", "scope=nonsense", f"scope={many}"):
        answer = app_client.ask("GET", f"/v2/auth?{query}", basic("admin", "password"))

        assert (query, answer.status, answer.code) == (query, 400, "UNSUPPORTED")
        assert answer.json()["errors"][0]["message"]


def test_a_form_of_another_service_or_of_many_bytes_is_refused(app_client: AppClient) -> None:
    assert post(app_client, service="other.test").status == 400
    assert post(app_client, username="admin", password="x" * 70_000).status == 400


def test_an_empty_form_is_anonymous(app_client: AppClient) -> None:
    for body in (b"\xff\xfe", b"=", b"&&&", b"username", b"%zz=%", b'{"username": "admin"}'):
        answer = app_client.ask("POST", "/v2/auth", FORM, body)

        assert (body, answer.status) == (body, 200)
        assert app_client.backend.services.identity.tokens.believe(answer.json()["token"]).is_anonymous

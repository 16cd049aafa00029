"""Signing in and out, and entering the password again."""

from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient, basic


def test_a_sign_in_gives_a_session_and_the_next_csrf_token(stranger: ApiClient) -> None:
    answer = stranger.post("/signin", {"username": "admin", "password": "password"})

    assert answer.json() == {"success": True}
    assert answer.headers["x-next-csrf-token"] == stranger.csrf
    assert answer.headers["cache-control"] == "no-store"
    assert stranger.get("/user").json()["username"] == "admin"


def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(app_client: AppClient) -> None:
    refusals = [
        ApiClient(app_client).post("/signin", {"username": name, "password": "wrong-password"}).json()
        for name in ("admin", "nobody")
    ]

    assert refusals[0] == refusals[1]
    assert refusals[0]["invalidCredentials"] is True
    assert refusals[0]["message"] == "Invalid Username or Password"


def test_a_right_password_straight_after_a_wrong_one_must_wait(stranger: ApiClient) -> None:
    assert stranger.post("/signin", {"username": "admin", "password": "wrong-password"}).status == 403

    refused = stranger.post("/signin", {"username": "admin", "password": "password"})
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    assert refused.json()["detail"] == "Too many attempts: try again in 1 second"
    stranger.backend.clock.ahead_s += 1
    assert stranger.post("/signin", {"username": "admin", "password": "password"}).status == 200


def test_an_unknown_user_must_wait_like_a_known_one(app_client: AppClient) -> None:
    answers = []
    for name in ("admin", "nobody"):
        ApiClient(app_client).post("/signin", {"username": name, "password": "wrong-password"})
        answers.append(ApiClient(app_client).post("/signin", {"username": name, "password": "password"}))

    assert [answer.status for answer in answers] == [429, 429]
    assert answers[0].json() == answers[1].json()


def test_a_failed_sign_in_on_a_page_leaves_the_registry_s_free_attempts(stranger: ApiClient) -> None:
    stranger.post("/signin", {"username": "admin", "password": "wrong-password"})

    assert stranger.ask("GET", "//v2/auth", **basic("admin", "password")).status == 200
    assert stranger.ask("GET", "//v2/auth", **basic("admin", "wrong-password")).status == 401
    assert stranger.ask("GET", "//v2/auth", **basic("admin", "password")).status == 200


def test_signing_out_ends_the_session(admin: ApiClient) -> None:
    cookie = admin.cookie

    assert admin.post("/signout").json() == {"success": True}
    assert admin.get("/user").status == 401
    assert admin.get("/user", Cookie=f"session={cookie}").status == 401


def test_a_dangerous_operation_needs_a_fresh_password(admin: ApiClient) -> None:
    admin.backend.clock.ahead_s = admin.backend.settings.fresh_s + 1

    refused = admin.put("/user/", {"company": "Acme"})
    assert (refused.status, refused.json()["error_type"]) == (401, "fresh_login_required")

    assert admin.post("/signin/verify", {"password": "password"}).status == 200
    assert admin.put("/user/", {"company": "Acme"}).status == 200


def test_a_wrong_password_does_not_refresh_the_session(admin: ApiClient) -> None:
    refused = admin.post("/signin/verify", {"password": "wrong-password"})

    assert (refused.status, set(refused.json())) == (403, {"message", "invalidCredentials"})


def test_verifying_straight_after_a_wrong_password_must_wait(admin: ApiClient) -> None:
    admin.post("/signin/verify", {"password": "wrong-password"})

    assert admin.post("/signin/verify", {"password": "password"}).status == 429
    admin.backend.clock.ahead_s += 1
    assert admin.post("/signin/verify", {"password": "password"}).status == 200


def test_a_missing_field_is_named(stranger: ApiClient) -> None:
    answer = stranger.post("/signin", {"username": "admin"})

    assert answer.status == 400
    assert "password" in answer.json()["detail"]

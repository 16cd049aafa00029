"""Signing in and out, and showing a password again."""

from tests.doors import Door
from tests.visitors import Visitor


def test_a_sign_in_gives_a_session_and_the_next_csrf_token(stranger: Visitor) -> None:
    answer = stranger.post("/signin", {"username": "admin", "password": "password"})

    assert answer.json() == {"success": True}
    assert answer.headers["x-next-csrf-token"] == stranger.csrf
    assert answer.headers["cache-control"] == "no-store"
    assert stranger.get("/user").json()["username"] == "admin"


def test_a_wrong_password_and_an_unknown_user_are_told_the_same(door: Door) -> None:
    told = [
        Visitor(door).post("/signin", {"username": name, "password": "wrong-password"}).json()
        for name in ("admin", "nobody")
    ]

    assert told[0] == told[1]
    assert told[0]["invalidCredentials"] is True
    assert told[0]["message"] == "Invalid Username or Password"


def test_a_right_password_after_some_wrong_ones_waits(stranger: Visitor) -> None:
    for _ in range(5):
        assert stranger.post("/signin", {"username": "admin", "password": "wrong-password"}).status == 403

    refused = stranger.post("/signin", {"username": "admin", "password": "password"})
    assert refused.status == 429
    assert refused.headers["retry-after"] == "1"
    stranger.house.clock.ahead_s += 1
    assert stranger.post("/signin", {"username": "admin", "password": "password"}).status == 200


def test_signing_out_ends_the_session(admin: Visitor) -> None:
    cookie = admin.cookie

    assert admin.post("/signout").json() == {"success": True}
    assert admin.get("/user").status == 401
    assert admin.get("/user", Cookie=f"session={cookie}").status == 401


def test_what_is_dangerous_wants_the_password_of_the_last_minutes(admin: Visitor) -> None:
    admin.house.clock.ahead_s = admin.house.settings.fresh_s + 1

    refused = admin.put("/user/", {"company": "Acme"})
    assert (refused.status, refused.json()["error_type"]) == (401, "fresh_login_required")

    assert admin.post("/signin/verify", {"password": "password"}).status == 200
    assert admin.put("/user/", {"company": "Acme"}).status == 200


def test_a_wrong_password_renews_nothing(admin: Visitor) -> None:
    assert admin.post("/signin/verify", {"password": "wrong-password"}).status == 403


def test_what_is_missing_is_named(stranger: Visitor) -> None:
    answer = stranger.post("/signin", {"username": "admin"})

    assert answer.status == 400
    assert "password" in answer.json()["message"]

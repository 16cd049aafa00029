"""Users over the API: oneself, changed and shown, and what others see."""

from collections.abc import Callable

import pytest

from tests.visitors import Visitor


def test_a_stranger_is_asked_to_sign_in(stranger: Visitor) -> None:
    answer = stranger.get("/user/")

    assert answer.status == 401
    assert answer.json()["session_required"] is False
    assert answer.json()["error_type"] == "invalid_token"
    assert answer.json()["message"] == "Requires authentication"


def test_a_user_sees_themselves_with_and_without_a_slash(visit: Callable[[str], Visitor]) -> None:
    bob = visit("bob")

    seen = bob.get("/user").json()
    assert seen == bob.get("/user/").json()
    assert (seen["username"], seen["anonymous"], seen["organizations"]) == ("bob", False, [])
    assert "super_user" not in seen


def test_the_first_user_is_told_to_be_a_superuser(admin: Visitor) -> None:
    assert admin.get("/user").json()["super_user"] is True


def test_signing_up_signs_in(stranger: Visitor) -> None:
    made = stranger.post("/user/", {"username": "carol", "password": "password-1", "email": "carol@example.com"})

    assert made.status == 200
    assert made.json()["email"] == "carol@example.com"
    assert stranger.get("/user").json()["username"] == "carol"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"password": "password-1"}, "username"),
        ({"username": "admin", "password": "password-1"}, "admin is taken"),
        ({"username": "carol", "password": "short"}, "password"),
        ({"username": "A B", "password": "password-1"}, "A B"),
        ({"username": "carol", "password": "password-1", "email": "no-mail"}, "email"),
        ({"username": 5, "password": "password-1"}, "username"),
        ([1, 2], "object"),
    ],
)
def test_a_sign_up_that_cannot_be_names_what_is_wrong(stranger: Visitor, body: object, why: str) -> None:
    answer = stranger.post("/user/", body)

    assert answer.status == 400
    assert why in answer.json()["message"]
    assert answer.json()["error_type"] == "invalid_request"


def test_a_change_without_the_csrf_token_is_refused(visit: Callable[[str], Visitor]) -> None:
    bob = visit("bob")

    answer = bob.put("/user/", {"company": "Acme"}, X_CSRF_Token="other")

    assert answer.status == 403
    assert answer.json()["error"] == "CSRF token was invalid or missing."


def test_a_new_password_ends_every_other_session(visit: Callable[[str], Visitor]) -> None:
    here, there = visit("bob"), visit("bob")

    assert here.put("/user/", {"password": "password-2"}).status == 200

    assert here.get("/user").status == 200
    assert there.get("/user").status == 401
    assert there.post("/signin", {"username": "bob", "password": "password-2"}).status == 200

"""`POST /api/v1/user/clientkey`."""

from collections.abc import Callable

from tests.support.api_client import ApiClient
from tests.support.app_client import basic

PATH = "/user/clientkey"


def test_a_client_signs_in_with_the_key_in_place_of_the_password(visit: Callable[[str], ApiClient]) -> None:
    bob = visit("bob")

    made = bob.post(PATH, {"password": "password"})

    assert made.status == 200
    assert list(made.json()) == ["key"]
    assert bob.ask("GET", "//v2/auth", **basic("bob", made.json()["key"])).status == 200
    assert bob.post("/signin", {"username": "bob", "password": made.json()["key"]}).status == 403


def test_a_wrong_password_gets_no_key_and_must_wait(visit: Callable[[str], ApiClient]) -> None:
    bob = visit("bob")

    refused = bob.post(PATH, {"password": "wrong-password"})
    assert (refused.status, refused.json()["error_message"]) == (400, "password: Invalid Username or Password")
    again = bob.post(PATH, {"password": "password"})
    assert (again.status, again.headers["retry-after"]) == (429, "1")


def test_a_new_user_gets_a_key_beside_the_password(admin: ApiClient) -> None:
    made = admin.post("/superuser/users/", {"username": "bob"}).json()

    for secret in (made["password"], made["encrypted_password"]):
        assert admin.ask("GET", "//v2/auth", **basic("bob", secret)).status == 200

"""`POST /api/v1/user/initialize`."""

from collections.abc import Callable

import pytest

from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.rows import all_rows

PATH = "/user/initialize"
FIRST = {"username": "first", "password": "password-1", "email": "first@example.com"}


@pytest.fixture
def empty(new_app_client: Callable[..., AppClient]) -> ApiClient:
    """A client of a backend that has no user yet."""
    app_client = new_app_client()
    for row in all_rows(app_client.backend):
        app_client.backend.services.stores.table.delete_item(row["pk"], row["sk"])
    return ApiClient(app_client)


def test_whoever_has_the_secret_makes_the_first_user_once(empty: ApiClient) -> None:
    secret = {"setup_secret": empty.backend.services.stores.secrets.setup}
    # As a script does it, without a session and its CSRF token.
    made = empty.app_client.ask("POST", "/api/v1" + PATH, {"Content-Type": "application/json"}, b'{"x": 1}')
    assert made.status == 400

    made = empty.post(PATH, {**FIRST, **secret, "access_token": True})
    assert made.status == 200
    told = made.json()
    assert (told["username"], told["email"], told["encrypted_password"]) == ("first", "first@example.com", None)
    assert ApiClient(empty.app_client, told["access_token"]).get("/user").json()["super_user"] is True
    again = empty.post(PATH, {**FIRST, **secret})
    assert (again.status, again.json()["message"]) == (400, "Cannot initialize user in a non-empty database")


def test_nobody_else_makes_one(empty: ApiClient) -> None:
    for body in (FIRST, {**FIRST, "setup_secret": "guess"}):
        assert empty.post(PATH, body).status == 403
    assert all_rows(empty.backend) == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"username": 5}, "username"),
        ({"password": "short"}, "password"),
        ({"email": "no mail"}, "email"),
        ({"access_token": "yes"}, "access_token"),
    ],
)
def test_what_is_wrong_is_named(empty: ApiClient, change: dict[str, object], why: str) -> None:
    answer = empty.post(PATH, {**FIRST, "setup_secret": empty.backend.services.stores.secrets.setup, **change})

    assert answer.status == 400
    assert why in answer.json()["message"]


def test_a_registry_that_has_a_user_says_so_first(stranger: ApiClient) -> None:
    answer = stranger.post(PATH, FIRST)

    assert (answer.status, answer.json()["message"]) == (400, "Cannot initialize user in a non-empty database")

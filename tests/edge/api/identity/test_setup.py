"""`POST /api/v1/user/initialize`."""

from collections.abc import Callable

import pytest

from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient, basic
from tests.support.rows import all_rows

PATH = "/user/initialize"
FIRST = {"username": "first", "password": "password-1", "email": "first@example.com"}


@pytest.fixture
def empty(new_app_client: Callable[..., AppClient]) -> ApiClient:
    """Returns an anonymous caller of a backend without users."""
    app_client = new_app_client()
    for row in all_rows(app_client.backend):
        app_client.backend.services.stores.table.delete_item(row["pk"], row["sk"])
    return ApiClient(app_client)


def test_a_caller_with_the_secret_creates_the_first_user_once(empty: ApiClient) -> None:
    secret = {"setup_secret": empty.backend.services.stores.secrets.setup}
    # Scripts have no session and no CSRF token.
    made = empty.app_client.ask("POST", "/api/v1" + PATH, {"Content-Type": "application/json"}, b'{"x": 1}')
    assert made.status == 400

    made = empty.post(PATH, {**FIRST, **secret, "access_token": True})
    assert made.status == 200
    document = made.json()
    assert (document["username"], document["email"]) == ("first", "first@example.com")
    key = document["encrypted_password"]
    assert empty.ask("GET", "//v2/auth", **basic("first", key)).status == 200
    assert ApiClient(empty.app_client, document["access_token"]).get("/user").json()["super_user"] is True
    again = empty.post(PATH, {**FIRST, **secret})
    assert (again.status, again.json()["message"]) == (400, "Cannot initialize user in a non-empty database")


def test_a_caller_without_the_secret_creates_no_user(empty: ApiClient) -> None:
    for body in (FIRST, {**FIRST, "setup_secret": "guess"}):
        refused = empty.post(PATH, body)
        assert (refused.status, refused.json()) == (403, {"message": "Unauthorized"})
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
def test_an_invalid_field_is_named(empty: ApiClient, change: dict[str, object], why: str) -> None:
    answer = empty.post(PATH, {**FIRST, "setup_secret": empty.backend.services.stores.secrets.setup, **change})

    assert answer.status == 400
    assert why in answer.json()["message"]


def test_an_installation_with_users_is_refused_before_the_secret_is_checked(stranger: ApiClient) -> None:
    answer = stranger.post(PATH, FIRST)

    assert (answer.status, answer.json()["message"]) == (400, "Cannot initialize user in a non-empty database")

"""Messages to everybody, over the API."""

from collections.abc import Callable

import pytest

from tests.support.api_client import ApiClient

HELLO = {"content": "hello", "media_type": "text/markdown", "severity": "info"}


def test_a_message_is_read_by_everybody_until_it_goes(admin: ApiClient, stranger: ApiClient) -> None:
    made = admin.post("/messages", {"message": HELLO})
    assert (made.status, made.body) == (201, b"")

    (told,) = stranger.get("/messages").json()["messages"]
    assert told == {"uuid": told["uuid"], **HELLO}
    assert [admin.delete(f"/message/{told['uuid']}").status for _ in range(2)] == [204, 204]
    assert stranger.get("/messages").json() == {"messages": []}


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({**HELLO, "media_type": "text/html"}, "message.media_type"),
        ({**HELLO, "severity": "loud"}, "message.severity"),
        ({**HELLO, "content": ""}, "message.content"),
        ({**HELLO, "content": "x" * 5000}, "message.content"),
        ({**HELLO, "content": 5}, "message.content"),
        ({}, "message"),
        (None, "message"),
    ],
)
def test_what_is_wrong_with_a_message_is_named(admin: ApiClient, message: object, field: str) -> None:
    answer = admin.post("/messages", {"message": message} if message is not None else {})

    assert answer.status == 400
    assert field in answer.json()["message"] or answer.json().get("field", "").startswith(field)


def test_only_a_superuser_with_a_fresh_password_leaves_one(
    admin: ApiClient, stranger: ApiClient, visit: Callable[[str], ApiClient]
) -> None:
    assert stranger.post("/messages", {"message": HELLO}).status == 401
    assert stranger.delete("/message/6b4e").status == 401
    assert visit("bob").post("/messages", {"message": HELLO}).status == 403
    assert visit("bob").delete("/message/6b4e").status == 403
    admin.backend.clock.ahead_s = admin.backend.settings.fresh_s + 1
    assert admin.post("/messages", {"message": HELLO}).json()["error_type"] == "fresh_login_required"

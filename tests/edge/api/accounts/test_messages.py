"""Messages to everybody, over the API."""

from collections.abc import Callable

import pytest

from tests.support.api_client import ApiClient

HELLO = {"content": "hello", "media_type": "text/markdown", "severity": "info"}


def test_everybody_reads_a_message_until_it_is_deleted(admin: ApiClient, stranger: ApiClient) -> None:
    creation = admin.post("/messages", {"message": HELLO})
    assert (creation.status, creation.body) == (201, b"")

    (message,) = stranger.get("/messages").json()["messages"]
    assert message == {"uuid": message["uuid"], **HELLO}
    assert [admin.delete(f"/message/{message['uuid']}").status for _ in range(2)] == [204, 204]
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
def test_an_invalid_message_is_refused_by_its_field(admin: ApiClient, message: object, field: str) -> None:
    answer = admin.post("/messages", {"message": message} if message is not None else {})

    assert answer.status == 400
    assert field in answer.json()["detail"]


def test_only_a_superuser_with_a_fresh_password_creates_a_message(
    admin: ApiClient, stranger: ApiClient, visit: Callable[[str], ApiClient]
) -> None:
    assert stranger.post("/messages", {"message": HELLO}).status == 401
    assert stranger.delete("/message/6b4e").status == 401
    for refused in (visit("bob").post("/messages", {"message": HELLO}), visit("bob").delete("/message/6b4e")):
        assert (refused.status, refused.json()) == (403, {"message": "Unauthorized"})
    admin.backend.clock.ahead_s = admin.backend.settings.fresh_s + 1
    assert admin.post("/messages", {"message": HELLO}).json()["error_type"] == "fresh_login_required"

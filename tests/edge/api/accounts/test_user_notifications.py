"""What oneself is told, over the API."""

from collections.abc import Callable

from tests.support.api_client import ApiClient

PATH = "/user/notifications"


def test_there_is_nothing_to_tell_at_first(admin: ApiClient, stranger: ApiClient) -> None:
    assert admin.get(PATH).json() == {"notifications": [], "additional": False}
    assert admin.get(PATH + "/6b4e").status == admin.put(PATH + "/6b4e", {"dismissed": True}).status == 404
    assert stranger.get(PATH).status == 401


def test_a_user_is_told_of_a_new_password_and_puts_it_away(admin: ApiClient, visit: Callable[[str], ApiClient]) -> None:
    bob = visit("bob")
    for _ in range(2):
        assert admin.put("/superuser/users/bob", {"password": "password-2"}).status == 200
    bob.sign_in("bob", "password-2")

    page = bob.get(PATH + "?limit=1").json()
    (told,) = page["notifications"]
    assert page["additional"] is True
    assert told["kind"] == "password_changed_by_superuser"
    assert told["metadata"] == {"by": "admin"}
    assert told["created"].endswith("-0000")
    assert bob.get(f"{PATH}/{told['id']}").json() == told
    assert bob.put(f"{PATH}/{told['id']}", {"dismissed": True}).json() == {**told, "dismissed": True}
    assert len(bob.get(PATH).json()["notifications"]) == 1


def test_a_page_that_cannot_be_is_named(admin: ApiClient) -> None:
    answer = admin.get(PATH + "?page=last")

    assert (answer.status, answer.json()["field"]) == (400, "page")

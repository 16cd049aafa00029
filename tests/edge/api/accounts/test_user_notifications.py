"""Notifications of users over the API."""

from collections.abc import Callable

from tests.support.api_client import ApiClient

PATH = "/user/notifications"


def test_a_new_user_has_no_notifications(admin: ApiClient, stranger: ApiClient) -> None:
    assert admin.get(PATH).json() == {"notifications": [], "additional": False}
    assert admin.get(PATH + "/6b4e").status == admin.put(PATH + "/6b4e", {"dismissed": True}).status == 404
    assert stranger.get(PATH).status == 401


def test_a_user_is_notified_of_a_new_password_and_dismisses_it(
    admin: ApiClient, visit: Callable[[str], ApiClient]
) -> None:
    bob = visit("bob")
    for _ in range(2):
        assert admin.put("/superuser/users/bob", {"password": "password-2"}).status == 200
    bob.sign_in("bob", "password-2")

    page = bob.get(PATH + "?limit=1").json()
    (notification,) = page["notifications"]
    assert page["additional"] is True
    assert notification["kind"] == "password_changed_by_superuser"
    assert notification["metadata"] == {"by": "admin"}
    assert notification["created"].endswith("-0000")
    assert bob.get(f"{PATH}/{notification['id']}").json() == notification
    assert bob.put(f"{PATH}/{notification['id']}", {"dismissed": True}).json() == {**notification, "dismissed": True}
    assert len(bob.get(PATH).json()["notifications"]) == 1


def test_an_invalid_page_is_refused_by_its_field(admin: ApiClient) -> None:
    answer = admin.get(PATH + "?page=last")

    assert (answer.status, answer.json()) == (400, {"message": {"page": "say a whole number from 0 up"}})

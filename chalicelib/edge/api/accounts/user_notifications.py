"""Notifications of users."""

from typing import Any

from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import USER_ADMIN
from chalicelib.domain.user_notifications import UserNotification
from chalicelib.edge import request
from chalicelib.edge.api.framework.operations import FLAG, TEXT, Operations, Parameter, a_list, an_object
from chalicelib.edge.api.framework.shapes import date
from chalicelib.wiring import services

operations = Operations(__name__, "user")
NOTIFICATIONS = "/api/v1/user/notifications"
ONE = NOTIFICATIONS + "/{uuid}"
PAGE_SIZE, LARGEST_PAGE = 5, 100
NOTIFICATION = an_object({"id": TEXT, "kind": TEXT, "created": TEXT, "metadata": an_object(), "dismissed": FLAG})
CHANGE = an_object(dismissed={**FLAG, "description": "Whether the notification is dismissed"})
PAGES = (
    Parameter("page", "integer", "The number of the page, from 0"),
    Parameter("limit", "integer", f"The size of a page: {PAGE_SIZE} by default, {LARGEST_PAGE} at most"),
)


@operations.get(
    NOTIFICATIONS,
    "listUserNotifications",
    scope=USER_ADMIN,
    parameters=PAGES,
    answers={200: an_object({"notifications": a_list(NOTIFICATION), "additional": FLAG})},
    is_internal=True,
)
def list_notifications(actor: Actor) -> dict[str, Any]:
    """Lists the user's notifications that are not dismissed, newest first."""
    size = max(1, min(request.number("limit", PAGE_SIZE), LARGEST_PAGE))
    page = services().accounts.user_notifications.page(actor, request.number("page", 0), size)
    return {"notifications": [_notification_json(notice) for notice in page.notifications], "additional": page.more}


@operations.get(ONE, "getUserNotification", scope=USER_ADMIN, answers={200: NOTIFICATION}, is_internal=True)
def get(actor: Actor, uuid: str) -> dict[str, Any]:
    """Returns one of the user's notifications."""
    return _notification_json(services().accounts.user_notifications.get(actor, uuid))


@operations.put(
    ONE,
    "updateUserNotification",
    scope=USER_ADMIN,
    body=CHANGE,
    answers={200: NOTIFICATION},
    is_internal=True,
)
def change(actor: Actor, uuid: str, body: dict[str, Any]) -> dict[str, Any]:
    """Dismisses a notification, or restores it."""
    return _notification_json(
        services().accounts.user_notifications.dismiss(actor, uuid, dismissed=body.get("dismissed", False))
    )


def _notification_json(notice: UserNotification) -> dict[str, Any]:
    return {
        "id": notice.uuid,
        "organization": None,
        "kind": notice.kind,
        "created": date(notice.created_at),
        "metadata": dict(notice.metadata),
        "dismissed": notice.dismissed,
    }

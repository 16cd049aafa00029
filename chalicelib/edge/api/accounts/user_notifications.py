"""What oneself is told: Quay's notifications of users."""

from typing import Any

from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import USER_ADMIN
from chalicelib.domain.user_notifications import UserNotification
from chalicelib.edge import request
from chalicelib.edge.api.framework.operations import FLAG, TEXT, Operations, Parameter, a_list, an_object
from chalicelib.edge.api.framework.shapes import date
from chalicelib.wiring import services

operations = Operations(__name__, "user")
NOTICES = "/api/v1/user/notifications"
PAGE_SIZE, LARGEST_PAGE = 5, 100
NOTICE = an_object({"id": TEXT, "kind": TEXT, "created": TEXT, "metadata": an_object(), "dismissed": FLAG})
CHANGE = an_object(dismissed={**FLAG, "description": "Whether it is put away"})
PAGES = (
    Parameter("page", "integer", "Which page, counted from 0"),
    Parameter("limit", "integer", f"How many a page has; {PAGE_SIZE} without it, {LARGEST_PAGE} at most"),
)


@operations.get(
    NOTICES,
    "listUserNotifications",
    scope=USER_ADMIN,
    parameters=PAGES,
    answers={200: an_object({"notifications": a_list(NOTICE), "additional": FLAG})},
    is_internal=True,
)
def list_notices(actor: Actor) -> dict[str, Any]:
    """What oneself is told and has not put away, newest first."""
    size = max(1, min(request.number("limit", PAGE_SIZE), LARGEST_PAGE))
    page = services().accounts.user_notifications.page(actor, request.number("page", 0), size)
    return {"notifications": [_shape(notification) for notification in page.notifications], "additional": page.more}


@operations.get(NOTICES + "/{uuid}", "getUserNotification", scope=USER_ADMIN, answers={200: NOTICE}, is_internal=True)
def get(actor: Actor, uuid: str) -> dict[str, Any]:
    """One of them."""
    return _shape(services().accounts.user_notifications.get(actor, uuid))


@operations.put(
    NOTICES + "/{uuid}",
    "updateUserNotification",
    scope=USER_ADMIN,
    body=CHANGE,
    answers={200: NOTICE},
    is_internal=True,
)
def change(actor: Actor, uuid: str, body: dict[str, Any]) -> dict[str, Any]:
    """Puts one away, or shows it again."""
    return _shape(services().accounts.user_notifications.dismiss(actor, uuid, dismissed=body.get("dismissed", False)))


def _shape(notice: UserNotification) -> dict[str, Any]:
    return {
        "id": notice.uuid,
        "organization": None,
        "kind": notice.kind,
        "created": date(notice.created_at),
        "metadata": dict(notice.metadata),
        "dismissed": notice.dismissed,
    }

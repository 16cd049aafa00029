"""Accounts of others, for superusers."""

from typing import Any

from chalicelib.domain.errors import MailOff
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import SUPER_USER
from chalicelib.edge import request
from chalicelib.edge.api.framework.operations import FLAG, TEXT, Operations, Parameter, a_list, an_object, or_null, text
from chalicelib.edge.api.framework.shapes import AVATAR, avatar
from chalicelib.services.accounts.superusers import LARGEST_PAGE, SuperuserChanges, UserView
from chalicelib.wiring import services

operations = Operations(__name__, "superuser")
USERS, ONE = "/api/v1/superuser/users", "/api/v1/superuser/users/{username}"
USER = an_object(
    {
        "kind": TEXT,
        "name": TEXT,
        "username": TEXT,
        "email": TEXT,
        "verified": FLAG,
        "avatar": AVATAR,
        "super_user": FLAG,
        "enabled": FLAG,
    },
    global_readonly_super_user=FLAG,
)
NEW = an_object({"username": text("The name of the user")}, email=or_null(text("Their email address")))
MADE = an_object({"username": TEXT, "email": TEXT, "password": TEXT}, encrypted_password=or_null(TEXT))
CHANGE = an_object(
    password=text("Another password, which ends all that the user has open"),
    email=text("Another email address"),
    enabled={**FLAG, "description": "Whether the user may sign in"},
)
LIST = (
    Parameter("disabled", "boolean", "Whether to tell of those who are disabled, too; so without it"),
    Parameter("limit", "integer", f"How many a page has, {LARGEST_PAGE} at most and without it"),
    Parameter("next_page", "string", "Where the page before ended"),
)
GUARD: dict[str, Any] = {"scope": SUPER_USER, "is_fresh": True}


@operations.get(
    USERS,
    "listAllUsers",
    parameters=LIST,
    answers={200: an_object({"users": a_list(USER)}, next_page=TEXT)},
    slash=True,
    **GUARD,
)
def list_users(actor: Actor) -> dict[str, Any]:
    """All users, by name."""
    page = services().accounts.superusers.users(
        actor,
        request.parameter("next_page") or "",
        request.number("limit", LARGEST_PAGE),
        with_disabled=request.flag("disabled", True),
    )
    shown: dict[str, Any] = {"users": [shape(user) for user in page.users]}
    return shown | ({"next_page": page.following} if page.following else {})


@operations.post(USERS, "createInstallUser", body=NEW, answers={200: MADE}, slash=True, **GUARD)
def create(actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Makes a user with a random password, shown this once."""
    user, password = services().accounts.superusers.create(actor, body["username"], body.get("email"))
    return {"username": user.name, "email": user.email or "", "password": password, "encrypted_password": None}


@operations.get(ONE, "getInstallUser", answers={200: USER}, **GUARD)
def get(actor: Actor, username: str) -> dict[str, Any]:
    """One user."""
    return shape(services().accounts.superusers.user(actor, username))


@operations.put(ONE, "changeInstallUser", body=CHANGE, answers={200: USER}, **GUARD)
def change(actor: Actor, username: str, body: dict[str, Any]) -> dict[str, Any]:
    """Changes a user, who is told of another password or address."""
    known = {name: body[name] for name in CHANGE["properties"] if name in body}
    return shape(services().accounts.superusers.change(actor, username, SuperuserChanges(**known)))


@operations.delete(ONE, "deleteInstallUser", answers={204: None}, **GUARD)
def delete(actor: Actor, username: str) -> None:
    """Ends a user, with all that is theirs."""
    services().accounts.account_deletion.delete_user(actor, username)


@operations.post(
    "/api/v1/superusers/users/{username}/sendrecovery",
    "sendInstallUserRecoveryEmail",
    answers={405: None},
    is_internal=True,
    **GUARD,
)
def send_recovery(actor: Actor, username: str) -> None:
    """Would send a user a mail, which is never sent from here."""
    services().accounts.superusers.user(actor, username)
    raise MailOff


def shape(user: UserView) -> dict[str, Any]:
    """A user as superusers see them."""
    return {
        "kind": "user",
        "name": user.name,
        "username": user.name,
        "email": user.email or "",
        "verified": True,
        "avatar": avatar(user.name, "user"),
        "super_user": user.is_superuser,
        "global_readonly_super_user": False,
        "enabled": user.is_enabled,
    }

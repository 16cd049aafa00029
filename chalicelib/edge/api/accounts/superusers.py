"""Users of the registry, for superusers."""

from typing import Any

from chalicelib.domain.accounts import AccountRole
from chalicelib.domain.errors import MailOff
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import SUPER_USER
from chalicelib.edge import request
from chalicelib.edge.api.framework.operations import (
    FLAG,
    TEXT,
    Operations,
    Parameter,
    a_list,
    an_object,
    one_of,
    or_null,
    text,
)
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
        "global_readonly_super_user": FLAG,
        "enabled": FLAG,
    }
)
NEW = an_object({"username": text("The name of the user")}, email=or_null(text("Their email address")))
MADE = an_object({"username": TEXT, "email": TEXT, "password": TEXT, "encrypted_password": TEXT})
CHANGE = an_object(
    password=text("A new password, which ends all sessions and tokens of the user"),
    email=text("A new email address"),
    enabled={**FLAG, "description": "Whether the user may sign in"},
)
ROLE = an_object({"role": one_of(*AccountRole)})
LIST = (
    Parameter("disabled", "boolean", "Whether to include disabled users: true by default"),
    Parameter("limit", "integer", f"The size of a page: {LARGEST_PAGE} at most and by default"),
    Parameter("next_page", "string", "The token from the previous page"),
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
    """Lists all users by name."""
    page = services().accounts.superusers.users(
        actor,
        request.parameter("next_page") or "",
        request.number("limit", LARGEST_PAGE),
        with_disabled=request.flag("disabled", True),
    )
    document: dict[str, Any] = {"users": [user_json(user) for user in page.users]}
    return document | ({"next_page": page.following} if page.following else {})


@operations.post(USERS, "createInstallUser", body=NEW, answers={200: MADE}, slash=True, **GUARD)
def create(actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Creates a user with a random password, which only this answer contains."""
    user = services().accounts.superusers.create(actor, body["username"], body.get("email"))
    return {
        "username": user.name,
        "email": user.email or "",
        "password": user.password,
        "encrypted_password": user.client_key,
    }


@operations.get(ONE, "getInstallUser", answers={200: USER}, **GUARD)
def get(actor: Actor, username: str) -> dict[str, Any]:
    """Returns a user."""
    return user_json(services().accounts.superusers.user(actor, username))


@operations.put(ONE, "changeInstallUser", body=CHANGE, answers={200: USER}, **GUARD)
def change(actor: Actor, username: str, body: dict[str, Any]) -> dict[str, Any]:
    """Changes a user, who is notified of a new password or email address."""
    changes = {name: body[name] for name in CHANGE["properties"] if name in body}
    return user_json(services().accounts.superusers.change(actor, username, SuperuserChanges(**changes)))


@operations.put(ONE + "/role", "changeUserRole", body=ROLE, answers={200: USER}, **GUARD)
def change_role(actor: Actor, username: str, body: dict[str, str]) -> dict[str, Any]:
    """Makes another user a superuser, a read-only superuser or neither, which ends all their sessions and tokens."""
    return user_json(services().accounts.superusers.change_role(actor, username, AccountRole(body["role"])))


@operations.delete(ONE, "deleteInstallUser", answers={204: None}, **GUARD)
def delete(actor: Actor, username: str) -> None:
    """Deletes a user with everything that is theirs."""
    services().accounts.account_deletion.delete_user(actor, username)


@operations.post(
    "/api/v1/superusers/users/{username}/sendrecovery",
    "sendInstallUserRecoveryEmail",
    answers={405: None},
    is_internal=True,
    **GUARD,
)
def send_recovery(actor: Actor, username: str) -> None:
    """Refuses to send a recovery mail: the registry sends no mail."""
    services().accounts.superusers.user(actor, username)
    raise MailOff


def user_json(user: UserView) -> dict[str, Any]:
    """Returns a user as superusers see them."""
    return {
        "kind": "user",
        "name": user.name,
        "username": user.name,
        "email": user.email or "",
        "verified": True,
        "avatar": avatar(user.name, "user"),
        "super_user": user.role is AccountRole.SUPERUSER,
        "global_readonly_super_user": user.role is AccountRole.READ_ONLY_SUPERUSER,
        "enabled": user.is_enabled,
    }

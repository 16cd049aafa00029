"""Users: the signed-in user, and what others see of a user."""

from collections.abc import Mapping
from typing import Any

from chalicelib.domain.errors import MailOff, Unauthenticated
from chalicelib.domain.permissions import Actor
from chalicelib.edge import request
from chalicelib.edge.api.framework import callers
from chalicelib.edge.api.framework.errors import TOKEN, problem
from chalicelib.edge.api.framework.operations import FLAG, NUMBER, TEXT, Operations, a_list, an_object, or_null, text
from chalicelib.edge.api.framework.shapes import AVATAR, avatar
from chalicelib.edge.origins import client_address
from chalicelib.edge.response import Reply, as_json
from chalicelib.services.accounts.accounts import Profile, UserChanges
from chalicelib.wiring import services

operations = Operations(__name__, "user")

ORGANIZATION = an_object(
    {"name": TEXT, "avatar": AVATAR, "can_create_repo": FLAG, "public": FLAG, "is_org_admin": FLAG},
    preferred_namespace=FLAG,
)
PUBLIC = an_object({"anonymous": FLAG, "username": TEXT, "avatar": AVATAR})
USER = an_object(
    {
        **PUBLIC["properties"],
        "can_create_repo": FLAG,
        "is_me": FLAG,
        "verified": FLAG,
        "email": TEXT,
        "logins": a_list({}),
        "invoice_email": FLAG,
        "invoice_email_address": or_null(TEXT),
        "preferred_namespace": FLAG,
        "tag_expiration_s": NUMBER,
        "prompts": a_list(TEXT),
        "organizations": a_list(ORGANIZATION),
    },
    company=or_null(TEXT),
    family_name=or_null(TEXT),
    given_name=or_null(TEXT),
    location=or_null(TEXT),
    is_free_account=FLAG,
    has_password_set=FLAG,
    quotas=a_list({}),
    super_user=FLAG,
    global_readonly_super_user=FLAG,
)
NEW = an_object(
    {"username": text("The user's username"), "password": text("The user's password")},
    email=text("The user's email address"),
)
LINE = or_null(text(maxLength=255))
CHANGE = an_object(
    password=text("The user's new password"),
    email=text("The user's new email address"),
    tag_expiration_s={**NUMBER, "minimum": 0, "description": "The number of seconds for tag expiration"},
    invoice_email=FLAG,
    invoice_email_address=or_null(text("The email address for invoices")),
    given_name=LINE,
    family_name=LINE,
    company=LINE,
    location=LINE,
)


@operations.get("/api/v1/user", "getLoggedInUser", scope="user:read", answers={200: USER}, slash=True)
def get(actor: Actor) -> Reply:
    """Returns the signed-in user with their organizations."""
    try:
        return as_json(user_json(services().accounts.accounts.profile(actor)))
    except Unauthenticated as error:
        return problem(401, TOKEN, str(error), session_required=False)


@operations.put(
    "/api/v1/user",
    "changeUserDetails",
    scope="user:admin",
    body=CHANGE,
    answers={200: USER},
    is_fresh=True,
    is_internal=True,
    slash=True,
)
def change(actor: Actor, body: dict[str, Any]) -> Reply:
    """Changes the signed-in user. A new password ends all sessions; the answer begins a new one."""
    fields = {name: body[name] for name in CHANGE["properties"] if name in body}
    changes = UserChanges(window_s=fields.pop("tag_expiration_s", None), **fields)
    row = services().accounts.accounts.change(actor, changes)
    headers = {}
    if changes.password is not None and actor.is_session:
        headers = callers.session_headers(services().identity.sessions.begin(row))
    return as_json(user_json(services().accounts.accounts.profile(actor)), headers=headers)


@operations.post(
    "/api/v1/user", "createNewUser", body=NEW, answers={200: USER}, errors=(429,), is_internal=True, slash=True
)
def create(body: dict[str, Any]) -> Reply:
    """Creates a user and signs them in, if the registry lets anybody sign up."""
    address = client_address(request.request())
    account = services().accounts.accounts.sign_up(body["username"], body["password"], body.get("email"), address)
    session = services().identity.sessions.begin(account, callers.session_cookie())
    actor = Actor(account.id, account.name, account.kind, account.epoch, is_session=True)
    return as_json(user_json(services().accounts.accounts.profile(actor)), headers=callers.session_headers(session))


@operations.delete(
    "/api/v1/user",
    "deleteCurrentUser",
    scope="user:admin",
    answers={204: None},
    errors=(400,),
    is_fresh=True,
    is_internal=True,
    slash=True,
)
def delete(actor: Actor) -> None:
    """Deletes the signed-in user with everything that is theirs.

    It is refused while the user is the only owner of an organization.
    """
    services().accounts.account_deletion.delete_own_account(actor)


@operations.post("/api/v1/recovery", "requestRecoveryEmail", answers={405: None}, is_internal=True)
def recover() -> None:
    """Refuses to send a recovery mail: the registry sends no mail."""
    raise MailOff


@operations.get("/api/v1/users/{username}", "getUserInformation", answers={200: PUBLIC}, aborts=(404,))
def get_public(username: str) -> Mapping[str, Any]:
    """Returns the public details of a user."""
    name = services().accounts.accounts.public_name(username)
    return {"anonymous": False, "username": name, "avatar": avatar(name, "user")}


def user_json(profile: Profile) -> dict[str, Any]:
    """Returns a user as they see themselves."""
    row, namespace = profile.account, profile.namespace
    document: dict[str, Any] = {
        "anonymous": False,
        "username": row.name,
        "avatar": avatar(row.name, "user"),
        "can_create_repo": True,
        "is_me": True,
        "verified": True,
        "email": row.email or "",
        "logins": [],
        "invoice_email": namespace.invoice_email,
        "invoice_email_address": namespace.invoice_email_address,
        "preferred_namespace": False,
        "tag_expiration_s": namespace.window_s,
        "prompts": [],
        "company": row.company,
        "family_name": row.family_name,
        "given_name": row.given_name,
        "location": row.location,
        "is_free_account": True,
        "has_password_set": row.password_hash is not None,
        "quotas": [],
        "quota_report": {
            "quota_bytes": profile.bytes,
            "configured_quota": None,
            "running_backfill": "complete",
            "backfill_status": "complete",
        },
        "organizations": [
            {
                "name": place.name,
                "avatar": avatar(place.name, "org"),
                "can_create_repo": place.may_create,
                "public": False,
                "is_org_admin": place.is_admin,
                "preferred_namespace": False,
            }
            for place in profile.organizations
        ],
    }
    document |= {"super_user": True} if row.superuser else {}
    return document | ({"global_readonly_super_user": True} if row.read_only_superuser else {})

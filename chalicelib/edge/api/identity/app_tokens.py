"""App tokens, with which a user's programs sign in to the registry instead of the password."""

from typing import Any

from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import SUPER_USER, USER_ADMIN
from chalicelib.edge import request
from chalicelib.edge.api.framework.operations import FLAG, TEXT, Operations, Parameter, a_list, an_object, or_null, text
from chalicelib.edge.api.framework.shapes import date
from chalicelib.services.identity.app_tokens import AppToken
from chalicelib.wiring import services

operations = Operations(__name__, "appspecifictokens")
MINE = "/api/v1/user/apptoken"

TOKEN = an_object(
    {
        "uuid": TEXT,
        "title": TEXT,
        "last_accessed": or_null(TEXT),
        "created": or_null(TEXT),
        "expiration": or_null(TEXT),
    }
)
WHOLE = an_object({"token": an_object(TOKEN["properties"], token_code=or_null(TEXT))})
LIST = an_object({"tokens": a_list(TOKEN), "only_expiring": or_null(FLAG)})
LIST_OF_ALL = an_object(
    {"tokens": a_list(an_object({**TOKEN["properties"], "username": TEXT})), "only_expiring": or_null(FLAG)},
    next_page=TEXT,
)
NEW = an_object(
    {"title": text("The user-defined title for the token")},
    expiration={"type": ["integer", "null"], "description": "In how many seconds the token expires; never without it"},
)
EXPIRING = Parameter("expiring", "boolean", "Whether to list only tokens that expire within four weeks")


@operations.get(MINE, "listAppTokens", scope=USER_ADMIN, parameters=(EXPIRING,), answers={200: LIST})
def list_mine(actor: Actor) -> dict[str, Any]:
    """Lists the user's own app tokens, newest first, without their secrets."""
    tokens = services().identity.app_tokens.of_oneself(actor, only_expiring=request.flag("expiring"))
    return {"tokens": [app_token_json(token) for token in tokens], "only_expiring": _only_expiring()}


@operations.post(MINE, "createAppToken", scope=USER_ADMIN, body=NEW, answers={200: WHOLE}, is_fresh=True)
def create(actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Creates an app token."""
    life_s = body.get("expiration")
    token = services().identity.app_tokens.create(actor, body["title"], None if life_s is None else int(life_s))
    return {"token": app_token_with_secret_json(token)}


@operations.get(MINE + "/{token_uuid}", "getAppToken", scope=USER_ADMIN, answers={200: WHOLE}, is_fresh=True)
def get(actor: Actor, token_uuid: str) -> dict[str, Any]:
    """Returns one of the user's own app tokens, with its secret."""
    return {"token": app_token_with_secret_json(services().identity.app_tokens.get(actor, token_uuid))}


@operations.delete(MINE + "/{token_uuid}", "revokeAppToken", scope=USER_ADMIN, answers={204: None}, is_fresh=True)
def revoke(actor: Actor, token_uuid: str) -> None:
    """Revokes one of the user's own app tokens."""
    services().identity.app_tokens.revoke(actor, token_uuid)


@operations.get(
    "/api/v1/superuser/apptokens",
    "listAllAppTokens",
    scope=SUPER_USER,
    parameters=(EXPIRING, Parameter("next_page", "string", "The token from the previous page")),
    answers={200: LIST_OF_ALL},
    is_fresh=True,
)
def list_all(actor: Actor) -> dict[str, Any]:
    """Lists all users' app tokens, without their secrets."""
    after, only_expiring = request.parameter("next_page") or "", request.flag("expiring")
    page, following = services().identity.app_tokens.of_everybody(actor, after, only_expiring=only_expiring)
    tokens = [app_token_json(token) | {"username": token.owner} for token in page]
    document: dict[str, Any] = {"tokens": tokens, "only_expiring": _only_expiring()}
    return document | ({"next_page": following} if following else {})


def _only_expiring() -> bool | None:
    """Returns the parameter `expiring`, None if it was not given."""
    return None if request.parameter("expiring") is None else request.flag("expiring")


def app_token_json(token: AppToken) -> dict[str, Any]:
    """Returns an app token without its secret."""
    return {
        "uuid": token.uuid,
        "title": token.title,
        "last_accessed": date(token.last_used_at),
        "created": date(token.created_at),
        "expiration": date(token.expires_at),
    }


def app_token_with_secret_json(token: AppToken) -> dict[str, Any]:
    """Returns an app token with its secret, which is null if the caller may not see it."""
    return app_token_json(token) | {"token_code": token.secret}

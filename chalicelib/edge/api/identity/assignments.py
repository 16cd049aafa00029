"""Tokens of applications that oneself is offered."""

from typing import Any

from chalicelib.domain.assignments import Assignment
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import ORG_ADMIN, USER_ADMIN
from chalicelib.edge import request
from chalicelib.edge.api.framework.operations import TEXT, Operations, Parameter, a_list, an_object
from chalicelib.edge.api.identity.applications import public, scope_shape
from chalicelib.wiring import services

operations = Operations(__name__, "user")
ASSIGNMENTS = "/api/v1/user/assignedauthorization"
ASSIGNMENT = an_object(
    {"uuid": TEXT, "application": an_object(), "redirectUri": TEXT, "scopes": a_list(an_object()), "responseType": TEXT}
)
OFFER = (
    Parameter("client_id", "string", "The application", required=True),
    Parameter("redirect_uri", "string", "Where the token goes: the application's, to the letter", required=True),
    Parameter("scope", "string", "Scopes, separated by spaces", required=True),
    Parameter("username", "string", "Who is offered the token", required=True),
    Parameter("response_type", "string", "`token`, so without it, or `code`"),
    Parameter("format", "string", "`json`, as it always is"),
)


@operations.post(
    "/oauth/authorize/assignuser",
    "assignToken",
    scope=ORG_ADMIN,
    parameters=OFFER,
    answers={200: an_object({"message": TEXT})},
    errors=(404,),
    is_internal=True,
)
def assign(actor: Actor) -> dict[str, str]:
    """Offers a user a token of an organization's application."""
    asked = {name: request.parameter(name) or "" for name in ("client_id", "redirect_uri", "scope", "response_type")}
    asked["response_type"] = asked["response_type"] or "token"
    services().identity.assignments.assign(actor, asked, request.parameter("username") or "")
    return {"message": "Token assigned successfully"}


@operations.get(
    ASSIGNMENTS,
    "listAssignedAuthorizations",
    scope=USER_ADMIN,
    answers={200: an_object({"authorizations": a_list(ASSIGNMENT)})},
    is_internal=True,
)
def list_assignments(actor: Actor) -> dict[str, Any]:
    """What oneself is offered."""
    return {"authorizations": [_shape(one) for one in services().identity.assignments.of_oneself(actor)]}


@operations.delete(
    ASSIGNMENTS + "/{assigned_authorization_uuid}",
    "deleteAssignedAuthorization",
    scope=USER_ADMIN,
    answers={204: None},
    is_internal=True,
)
def decline(actor: Actor, assigned_authorization_uuid: str) -> None:
    """Takes one of them off the list."""
    services().identity.assignments.decline(actor, assigned_authorization_uuid)


def _shape(one: Assignment) -> dict[str, Any]:
    return {
        "application": {**public(one.application), "clientId": one.application.client_id},
        "uuid": one.uuid,
        "redirectUri": one.redirect_uri,
        "scopes": [scope_shape(name) for name in one.scopes],
        "responseType": one.response_type,
    }

"""Offers of application tokens to users."""

from typing import Any

from chalicelib.domain.assignments import Assignment
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import ORG_ADMIN, USER_ADMIN
from chalicelib.edge import request
from chalicelib.edge.api.framework.operations import TEXT, Operations, Parameter, a_list, an_object
from chalicelib.edge.api.identity.applications import application_public_json, scope_json
from chalicelib.wiring import services

operations = Operations(__name__, "user")
ASSIGNMENTS = "/api/v1/user/assignedauthorization"
ASSIGNMENT = an_object(
    {"uuid": TEXT, "application": an_object(), "redirectUri": TEXT, "scopes": a_list(an_object()), "responseType": TEXT}
)
OFFER = (
    Parameter("client_id", "string", "The application", required=True),
    Parameter("redirect_uri", "string", "The exact redirect URI of the application", required=True),
    Parameter("scope", "string", "Scopes, separated by spaces", required=True),
    Parameter("username", "string", "The user to whom the token is offered", required=True),
    Parameter("response_type", "string", "`token`, which is the default, or `code`"),
    Parameter("format", "string", "`json`; the answer is always JSON"),
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
    query = {name: request.parameter(name) or "" for name in ("client_id", "redirect_uri", "scope", "response_type")}
    query["response_type"] = query["response_type"] or "token"
    services().identity.assignments.assign(actor, query, request.parameter("username") or "")
    return {"message": "Token assigned successfully"}


@operations.get(
    ASSIGNMENTS,
    "listAssignedAuthorizations",
    scope=USER_ADMIN,
    answers={200: an_object({"authorizations": a_list(ASSIGNMENT)})},
    is_internal=True,
)
def list_assignments(actor: Actor) -> dict[str, Any]:
    """Lists the tokens that the user is offered."""
    return {"authorizations": [_assignment_json(one) for one in services().identity.assignments.of_oneself(actor)]}


@operations.delete(
    ASSIGNMENTS + "/{assigned_authorization_uuid}",
    "deleteAssignedAuthorization",
    scope=USER_ADMIN,
    answers={204: None},
    is_internal=True,
)
def decline(actor: Actor, assigned_authorization_uuid: str) -> None:
    """Declines an offered token."""
    services().identity.assignments.decline(actor, assigned_authorization_uuid)


def _assignment_json(one: Assignment) -> dict[str, Any]:
    return {
        "application": {**application_public_json(one.application), "clientId": one.application.client_id},
        "uuid": one.uuid,
        "redirectUri": one.redirect_uri,
        "scopes": [scope_json(name) for name in one.scopes],
        "responseType": one.response_type,
    }

"""OAuth applications of organizations, their tokens, and the authorizations that users gave them."""

from typing import Any

from chalicelib.domain.applications import Application, Authorization, Token
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import OFFERED, ORG_ADMIN, USER_ADMIN
from chalicelib.edge.api.framework import paths
from chalicelib.edge.api.framework.operations import TEXT, Operations, a_list, an_object, or_null, text
from chalicelib.edge.api.framework.shapes import AVATAR, avatar, iso
from chalicelib.services.identity.applications import ApplicationFields
from chalicelib.services.identity.authorizations import TokenRequest
from chalicelib.wiring import services

operations = Operations(__name__, "applications")
APPLICATIONS = paths.ORGANIZATION + "/applications"
ONE = APPLICATIONS + "/{client_id}"

PUBLIC = an_object({"name": TEXT, "description": TEXT, "uri": TEXT, "avatar": AVATAR}, organization=an_object())
APPLICATION = an_object(
    {"name": TEXT, "description": TEXT, "application_uri": TEXT, "client_id": TEXT},
    client_secret=or_null(TEXT),
    redirect_uri=or_null(TEXT),
    avatar_email=or_null(TEXT),
)
NAME = text("The name of the application")
REDIRECT = text("The exact URI to which users are sent back")
HOME = text("The URL of the application's home page")
ABOUT = text("The description that users read")
AVATAR_EMAIL = or_null(text("The e-mail address of its avatar"))
NEW = an_object(
    {"name": NAME}, redirect_uri=REDIRECT, application_uri=HOME, description=ABOUT, avatar_email=AVATAR_EMAIL
)
CHANGE = an_object(
    {"name": NAME, "redirect_uri": REDIRECT, "application_uri": HOME}, description=ABOUT, avatar_email=AVATAR_EMAIL
)
TOKEN = an_object(
    {"uuid": TEXT, "name": or_null(TEXT), "scope": TEXT, "expires_at": or_null(TEXT), "created": or_null(TEXT)},
    created_by=or_null(TEXT),
    last_accessed=or_null(TEXT),
    token=TEXT,
)
NEW_TOKEN = an_object(
    {"name": text("What the token is for"), "scope": text("Scopes, separated by spaces")},
    expiration={"type": ["integer", "null"], "description": "In how many seconds the token expires"},
)
AUTHORIZATION = an_object({"uuid": TEXT, "application": an_object(), "scopes": a_list(an_object())})


@operations.get("/api/v1/app/{client_id}", "getApplicationInformation", answers={200: PUBLIC})
def information(client_id: str) -> dict[str, Any]:
    """Returns the public details of an application."""
    return application_public_json(services().identity.applications.public(client_id))


@operations.get(
    APPLICATIONS,
    "getOrganizationApplications",
    scope=ORG_ADMIN,
    answers={200: an_object({"applications": a_list(APPLICATION)})},
)
def list_applications(actor: Actor, orgname: str) -> dict[str, Any]:
    """Lists an organization's applications."""
    applications = services().identity.applications.of_organization(actor, orgname)
    return {"applications": [application_json(application) for application in applications]}


@operations.post(APPLICATIONS, "createOrganizationApplication", scope=ORG_ADMIN, body=NEW, answers={200: APPLICATION})
def create(actor: Actor, orgname: str, body: dict[str, Any]) -> dict[str, Any]:
    """Creates an application."""
    return application_json(services().identity.applications.create(actor, orgname, _fields(body)))


@operations.get(ONE, "getOrganizationApplication", scope=ORG_ADMIN, answers={200: APPLICATION})
def get(actor: Actor, orgname: str, client_id: str) -> dict[str, Any]:
    """Returns an application with its secret."""
    return application_json(services().identity.applications.get(actor, orgname, client_id))


@operations.put(ONE, "updateOrganizationApplication", scope=ORG_ADMIN, body=CHANGE, answers={200: APPLICATION})
def change(actor: Actor, orgname: str, client_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Changes an application; optional fields that are left out become empty."""
    return application_json(services().identity.applications.change(actor, orgname, client_id, _fields(body)))


@operations.delete(ONE, "deleteOrganizationApplication", scope=ORG_ADMIN, answers={204: None})
def delete(actor: Actor, orgname: str, client_id: str) -> None:
    """Removes an application with all its tokens."""
    services().identity.applications.delete(actor, orgname, client_id)


@operations.post(
    ONE + "/resetclientsecret",
    "resetOrganizationApplicationClientSecret",
    scope=ORG_ADMIN,
    answers={200: APPLICATION},
    is_internal=True,
)
def reset_secret(actor: Actor, orgname: str, client_id: str) -> dict[str, Any]:
    """Gives an application a new secret; its tokens stay valid."""
    return application_json(services().identity.applications.reset_secret(actor, orgname, client_id))


@operations.get(
    ONE + "/tokens",
    "listOrganizationApplicationTokens",
    scope=ORG_ADMIN,
    answers={200: an_object({"tokens": a_list(TOKEN)})},
)
def list_tokens(actor: Actor, orgname: str, client_id: str) -> dict[str, Any]:
    """Lists an application's tokens, newest first, without their secrets."""
    tokens = services().identity.authorizations.of_application(actor, orgname, client_id)
    return {"tokens": [token_json(token) for token in tokens]}


@operations.post(
    ONE + "/tokens", "createOrganizationApplicationToken", scope=ORG_ADMIN, body=NEW_TOKEN, answers={200: TOKEN}
)
def create_token(actor: Actor, orgname: str, client_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Creates a token that acts as the user within scopes; only this answer contains it."""
    token = services().identity.authorizations.create(
        actor, orgname, client_id, TokenRequest(body["name"], body["scope"], body.get("expiration"))
    )
    return token_json(token)


@operations.delete(
    ONE + "/tokens/{token_uuid}", "deleteOrganizationApplicationToken", scope=ORG_ADMIN, answers={204: None}
)
def revoke_token(actor: Actor, orgname: str, client_id: str, token_uuid: str) -> None:
    """Revokes a token of an application."""
    services().identity.authorizations.revoke_of_application(actor, orgname, client_id, token_uuid)


@operations.get(
    "/api/v1/user/authorizations",
    "listUserAuthorizations",
    scope=USER_ADMIN,
    answers={200: an_object({"authorizations": a_list(AUTHORIZATION)})},
    is_internal=True,
)
def list_authorizations(actor: Actor) -> dict[str, Any]:
    """Lists the authorizations that the user gave to applications."""
    return {"authorizations": [authorization_json(one) for one in services().identity.authorizations.of_user(actor)]}


@operations.get(
    "/api/v1/user/authorizations/{access_token_uuid}",
    "getUserAuthorization",
    scope=USER_ADMIN,
    answers={200: AUTHORIZATION},
    is_internal=True,
)
def get_authorization(actor: Actor, access_token_uuid: str) -> dict[str, Any]:
    """Returns one of the user's authorizations."""
    return authorization_json(services().identity.authorizations.one_of_user(actor, access_token_uuid))


@operations.delete(
    "/api/v1/user/authorizations/{access_token_uuid}",
    "deleteUserAuthorization",
    scope=USER_ADMIN,
    answers={204: None},
    is_internal=True,
)
def revoke_authorization(actor: Actor, access_token_uuid: str) -> None:
    """Revokes one of the user's authorizations."""
    services().identity.authorizations.revoke_of_user(actor, access_token_uuid)


def _fields(body: dict[str, Any]) -> ApplicationFields:
    names = ("name", "redirect_uri", "application_uri", "description", "avatar_email")
    return ApplicationFields(**{name: body[name] for name in names if name in body})


def application_public_json(application: Application) -> dict[str, Any]:
    """Returns an application's public details."""
    return {
        "name": application.name,
        "description": application.description,
        "uri": application.application_uri,
        "avatar": avatar(application.name, "app"),
        "organization": {"name": application.organization, "avatar": avatar(application.organization, "org")},
    }


def application_json(application: Application) -> dict[str, Any]:
    """Returns an application as its administrators see it."""
    return {
        "name": application.name,
        "description": application.description,
        "application_uri": application.application_uri,
        "client_id": application.client_id,
        "client_secret": application.secret,
        "redirect_uri": application.redirect_uri,
        "avatar_email": application.avatar_email,
    }


def token_json(token: Token) -> dict[str, Any]:
    """Returns a token, with its secret only if it was just created."""
    document: dict[str, Any] = {
        "uuid": token.uuid,
        "name": token.name,
        "scope": token.scope,
        "expires_at": iso(token.expires_at),
        "created": iso(token.created_at),
        "created_by": token.created_by,
        "last_accessed": iso(token.last_used_at),
    }
    return document | ({"token": token.secret} if token.secret else {})


def authorization_json(one: Authorization) -> dict[str, Any]:
    """Returns an authorization with its application and scopes."""
    return {
        "application": application_public_json(one.application),
        "scopes": [scope_json(name) for name in one.scopes],
        "uuid": one.uuid,
    }


def scope_json(name: str) -> dict[str, Any]:
    """Returns a scope as the consent page describes it."""
    scope = OFFERED[name]
    return {
        "scope": scope.name,
        "title": scope.title,
        "description": scope.description,
        "icon": "fa-lock",
        "dangerous": scope.dangerous,
    }

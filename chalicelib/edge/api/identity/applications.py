"""OAuth applications of an organization, their tokens, and what users let applications do."""

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
REDIRECT = text("Where users are sent back to, to the letter")
HOME = text("The application's home")
ABOUT = text("What people read of it")
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
    expiration={"type": ["integer", "null"], "description": "In how many seconds it ends"},
)
AUTHORIZATION = an_object({"uuid": TEXT, "application": an_object(), "scopes": a_list(an_object())})


@operations.get("/api/v1/app/{client_id}", "getApplicationInformation", answers={200: PUBLIC})
def information(client_id: str) -> dict[str, Any]:
    """What everybody may know of an application."""
    return public(services().identity.applications.public(client_id))


@operations.get(
    APPLICATIONS,
    "getOrganizationApplications",
    scope=ORG_ADMIN,
    answers={200: an_object({"applications": a_list(APPLICATION)})},
)
def list_applications(actor: Actor, orgname: str) -> dict[str, Any]:
    """An organization's applications."""
    found = services().identity.applications.of_organization(actor, orgname)
    return {"applications": [shape(application) for application in found]}


@operations.post(APPLICATIONS, "createOrganizationApplication", scope=ORG_ADMIN, body=NEW, answers={200: APPLICATION})
def create(actor: Actor, orgname: str, body: dict[str, Any]) -> dict[str, Any]:
    """Makes an application."""
    return shape(services().identity.applications.create(actor, orgname, _fields(body)))


@operations.get(ONE, "getOrganizationApplication", scope=ORG_ADMIN, answers={200: APPLICATION})
def get(actor: Actor, orgname: str, client_id: str) -> dict[str, Any]:
    """One application, with its secret."""
    return shape(services().identity.applications.get(actor, orgname, client_id))


@operations.put(ONE, "updateOrganizationApplication", scope=ORG_ADMIN, body=CHANGE, answers={200: APPLICATION})
def change(actor: Actor, orgname: str, client_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Tells other things of an application; what is left out becomes empty."""
    return shape(services().identity.applications.change(actor, orgname, client_id, _fields(body)))


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
    """Gives an application another secret; tokens stay."""
    return shape(services().identity.applications.reset_secret(actor, orgname, client_id))


@operations.get(
    ONE + "/tokens",
    "listOrganizationApplicationTokens",
    scope=ORG_ADMIN,
    answers={200: an_object({"tokens": a_list(TOKEN)})},
)
def list_tokens(actor: Actor, orgname: str, client_id: str) -> dict[str, Any]:
    """An application's tokens, newest first, without their secrets."""
    found = services().identity.authorizations.of_application(actor, orgname, client_id)
    return {"tokens": [token_shape(token) for token in found]}


@operations.post(
    ONE + "/tokens", "createOrganizationApplicationToken", scope=ORG_ADMIN, body=NEW_TOKEN, answers={200: TOKEN}
)
def create_token(actor: Actor, orgname: str, client_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Makes a token that acts as oneself within scopes, and shows it this once."""
    made = services().identity.authorizations.create(
        actor, orgname, client_id, TokenRequest(body["name"], body["scope"], body.get("expiration"))
    )
    return token_shape(made)


@operations.delete(
    ONE + "/tokens/{token_uuid}", "deleteOrganizationApplicationToken", scope=ORG_ADMIN, answers={204: None}
)
def revoke_token(actor: Actor, orgname: str, client_id: str, token_uuid: str) -> None:
    """Ends a token."""
    services().identity.authorizations.revoke_of_application(actor, orgname, client_id, token_uuid)


@operations.get(
    "/api/v1/user/authorizations",
    "listUserAuthorizations",
    scope=USER_ADMIN,
    answers={200: an_object({"authorizations": a_list(AUTHORIZATION)})},
    is_internal=True,
)
def list_authorizations(actor: Actor) -> dict[str, Any]:
    """What oneself let applications do."""
    return {"authorizations": [authorization_shape(one) for one in services().identity.authorizations.of_user(actor)]}


@operations.get(
    "/api/v1/user/authorizations/{access_token_uuid}",
    "getUserAuthorization",
    scope=USER_ADMIN,
    answers={200: AUTHORIZATION},
    is_internal=True,
)
def get_authorization(actor: Actor, access_token_uuid: str) -> dict[str, Any]:
    """One of them."""
    return authorization_shape(services().identity.authorizations.one_of_user(actor, access_token_uuid))


@operations.delete(
    "/api/v1/user/authorizations/{access_token_uuid}",
    "deleteUserAuthorization",
    scope=USER_ADMIN,
    answers={204: None},
    is_internal=True,
)
def revoke_authorization(actor: Actor, access_token_uuid: str) -> None:
    """Takes it back."""
    services().identity.authorizations.revoke_of_user(actor, access_token_uuid)


def _fields(body: dict[str, Any]) -> ApplicationFields:
    names = ("name", "redirect_uri", "application_uri", "description", "avatar_email")
    return ApplicationFields(**{name: body[name] for name in names if name in body})


def public(application: Application) -> dict[str, Any]:
    """An application as everybody sees it."""
    return {
        "name": application.name,
        "description": application.description,
        "uri": application.application_uri,
        "avatar": avatar(application.name, "app"),
        "organization": {"name": application.organization, "avatar": avatar(application.organization, "org")},
    }


def shape(application: Application) -> dict[str, Any]:
    """An application as those see it who administer it."""
    return {
        "name": application.name,
        "description": application.description,
        "application_uri": application.application_uri,
        "client_id": application.client_id,
        "client_secret": application.secret,
        "redirect_uri": application.redirect_uri,
        "avatar_email": application.avatar_email,
    }


def token_shape(token: Token) -> dict[str, Any]:
    """A token; with its secret when it was made just now."""
    shown: dict[str, Any] = {
        "uuid": token.uuid,
        "name": token.name,
        "scope": token.scope,
        "expires_at": iso(token.expires_at),
        "created": iso(token.created_at),
        "created_by": token.created_by,
        "last_accessed": iso(token.last_used_at),
    }
    return shown | ({"token": token.secret} if token.secret else {})


def authorization_shape(one: Authorization) -> dict[str, Any]:
    """What a user let an application do."""
    return {
        "application": public(one.application),
        "scopes": [scope_shape(name) for name in one.scopes],
        "uuid": one.uuid,
    }


def scope_shape(name: str) -> dict[str, Any]:
    """A scope in the words of the consent page."""
    scope = OFFERED[name]
    return {
        "scope": scope.name,
        "title": scope.title,
        "description": scope.description,
        "icon": "fa-lock",
        "dangerous": scope.dangerous,
    }

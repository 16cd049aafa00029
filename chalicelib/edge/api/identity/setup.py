"""The set-up of an installation: creates its first user, once."""

from typing import Any

from chalicelib.edge.api.framework.operations import FLAG, TEXT, Operations, an_object, or_null, text
from chalicelib.wiring import services

operations = Operations(__name__, "user")
NEW = an_object(
    {"username": text("The name of the first user"), "password": text("Their password")},
    email=or_null(text("Their email address")),
    access_token={**FLAG, "description": "Whether to create an OAuth token with every scope, for two and a half hours"},
    setup_secret=text("The secret that `python -m infra.secrets setup` prints"),
)
MADE = an_object({"username": TEXT, "email": TEXT, "encrypted_password": TEXT}, access_token=TEXT)


@operations.post(
    "/api/v1/user/initialize",
    "initializeUser",
    body=NEW,
    answers={200: MADE},
    aborts=(400, 403),
    is_internal=True,
    is_csrf_free=True,
)
def initialize(body: dict[str, Any]) -> dict[str, Any]:
    """Creates the first user, a superuser, for a caller who has the set-up secret of the installation."""
    wants_token = body.get("access_token", False)
    user = services().identity.setup.initialize(
        body.get("setup_secret", ""), body["username"], body["password"], body.get("email"), wants_token=wants_token
    )
    document: dict[str, Any] = {
        "username": user.name,
        "email": user.email or "",
        "encrypted_password": user.client_key,
    }
    return document | ({"access_token": user.access_token} if user.access_token else {})

"""The set-up of an installation: its first user, made over the API once."""

from typing import Any

from chalicelib.edge.api.framework.operations import FLAG, TEXT, Operations, an_object, or_null, text
from chalicelib.wiring import services

operations = Operations(__name__, "user")
NEW = an_object(
    {"username": text("The name of the first user"), "password": text("Their password")},
    email=or_null(text("Their email address")),
    access_token={**FLAG, "description": "Whether to make an OAuth token with every scope, for two and a half hours"},
    setup_secret=text("What `python -m infra.secrets setup` prints"),
)
MADE = an_object({"username": TEXT, "email": TEXT}, encrypted_password=or_null(TEXT), access_token=TEXT)


@operations.post(
    "/api/v1/user/initialize",
    "initializeUser",
    body=NEW,
    answers={200: MADE},
    errors=(403,),
    is_internal=True,
    is_csrf_free=True,
)
def initialize(body: dict[str, Any]) -> dict[str, Any]:
    """Makes the first user, a superuser, for whoever shows the set-up secret of the installation."""
    wants_token = body.get("access_token", False)
    made = services().identity.setup.initialize(
        body.get("setup_secret", ""), body["username"], body["password"], body.get("email"), wants_token=wants_token
    )
    # Passwords are not encrypted for command lines here: an app token does what that was for.
    shown: dict[str, Any] = {"username": made.name, "email": made.email or "", "encrypted_password": None}
    return shown | ({"access_token": made.access_token} if made.access_token else {})

"""The client key of a user, which Quay calls an encrypted password: for `docker login` in place of the password."""

from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import USER_ADMIN
from chalicelib.edge.api.framework.operations import TEXT, Operations, an_object, text
from chalicelib.wiring import services

operations = Operations(__name__, "user")
PASSWORD = an_object({"password": text("The user's password")})


@operations.post(
    "/api/v1/user/clientkey",
    "generateUserClientKey",
    scope=USER_ADMIN,
    body=PASSWORD,
    answers={200: an_object({"key": TEXT})},
    errors=(429,),
    is_internal=True,
)
def create(actor: Actor, body: dict[str, str]) -> dict[str, str]:
    """Returns a key that the registry accepts as the user's password, until the user gets another password."""
    return {"key": services().identity.client_keys.create(actor, body["password"])}

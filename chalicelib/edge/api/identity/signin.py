"""Sessions: signing in and out, entering the password again, and the CSRF token that changes need."""

from typing import Any

from chalicelib.domain.errors import WrongCredentials
from chalicelib.domain.permissions import Actor
from chalicelib.edge import request
from chalicelib.edge.api.framework import callers
from chalicelib.edge.api.framework.operations import FLAG, Operations, an_object, text
from chalicelib.edge.origins import client_address
from chalicelib.edge.response import Reply, as_json
from chalicelib.services.identity.sessions import Session
from chalicelib.wiring import services

operations = Operations(__name__, "user")
CREDENTIALS = an_object({"username": text("The name of the user"), "password": text("The user's password")})
PASSWORD = an_object({"password": text("The user's password")})
DONE = an_object({"success": FLAG})


@operations.get("/csrf_token", "getCsrfToken", answers={200: an_object({"csrf_token": text()})}, is_internal=True)
def csrf_token() -> Reply:
    """Returns the CSRF token of the session, and sets the session's cookie."""
    session = services().identity.sessions.anonymous(callers.session_cookie())
    return as_json({"csrf_token": session.csrf}, headers=callers.session_headers(session))


@operations.post("/api/v1/signin", "signinUser", body=CREDENTIALS, answers={200: DONE}, errors=(429,), is_internal=True)
def sign_in(body: dict[str, str]) -> Reply:
    """Signs a user in with name and password."""
    address = client_address(request.request())
    _, session = services().identity.sessions.sign_in(
        body["username"], body["password"], address, callers.session_cookie()
    )
    return _success(session)


@operations.post(
    "/api/v1/signin/verify",
    "verifyUser",
    scope="user:admin",
    body=PASSWORD,
    answers={200: DONE},
    errors=(429,),
    is_internal=True,
)
def verify(actor: Actor, body: dict[str, str]) -> Reply:
    """Checks the user's password again, which dangerous operations require after ten minutes."""
    try:
        return _success(services().identity.sessions.verify(actor, body["password"], callers.session_cookie()))
    except WrongCredentials as error:
        return as_json({"message": str(error), "invalidCredentials": True}, 403)


@operations.post("/api/v1/signout", "logout", answers={200: DONE}, is_internal=True)
def sign_out(actor: Actor) -> Reply:
    """Signs the user out."""
    services().identity.sessions.end(actor, callers.session_cookie())
    return _success(services().identity.sessions.anonymous(""))


def _success(session: Session) -> Reply:
    done: dict[str, Any] = {"success": True}
    return as_json(done, headers=callers.session_headers(session))

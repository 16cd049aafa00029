"""Sessions: signing in and out, showing a password again, and the CSRF token that changes need."""

from typing import Any

from chalicelib.domain.permissions import Actor
from chalicelib.edge import request
from chalicelib.edge.api.framework import callers
from chalicelib.edge.api.framework.operations import FLAG, Operations, an_object, text
from chalicelib.edge.origins import address_of
from chalicelib.edge.response import Reply, as_json
from chalicelib.services.identity.sessions import Session
from chalicelib.wiring import services

operations = Operations(__name__, "user")
CREDENTIALS = an_object({"username": text("The name of the user"), "password": text("The user's password")})
PASSWORD = an_object({"password": text("The user's password")})
DONE = an_object({"success": FLAG})


@operations.get("/csrf_token", "getCsrfToken", answers={200: an_object({"csrf_token": text()})}, is_internal=True)
def csrf_token() -> Reply:
    """The CSRF token of this session, and a cookie for it to go with."""
    session = services().identity.sessions.anonymous(callers.session_cookie())
    return as_json({"csrf_token": session.csrf}, headers=callers.with_session(session))


@operations.post("/api/v1/signin", "signinUser", body=CREDENTIALS, answers={200: DONE}, errors=(429,), is_internal=True)
def sign_in(body: dict[str, str]) -> Reply:
    """Begins a session for a name and a password."""
    address = address_of(request.request())
    _, session = services().identity.sessions.sign_in(
        body["username"], body["password"], address, callers.session_cookie()
    )
    return _in(session)


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
    """Shows the password again, which dangerous operations ask for after ten minutes."""
    return _in(services().identity.sessions.verify(actor, body["password"], callers.session_cookie()))


@operations.post("/api/v1/signout", "logout", answers={200: DONE}, is_internal=True)
def sign_out(actor: Actor) -> Reply:
    """Ends the session."""
    services().identity.sessions.end(actor, callers.session_cookie())
    return _in(services().identity.sessions.anonymous(""))


def _in(session: Session) -> Reply:
    done: dict[str, Any] = {"success": True}
    return as_json(done, headers=callers.with_session(session))

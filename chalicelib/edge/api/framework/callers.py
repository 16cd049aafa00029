"""The caller of the API: the owner of a bearer token or of a session's cookie; never of both, never by password."""

import re
from dataclasses import replace
from http.cookies import CookieError, SimpleCookie

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.permissions import ANONYMOUS, Actor
from chalicelib.edge import request
from chalicelib.edge.origins import client_address
from chalicelib.edge.request_lines import note_actor
from chalicelib.services.identity.sessions import Session
from chalicelib.settings import settings
from chalicelib.wiring import services

COOKIE = re.compile(r"[!#-+\--:<-\[\]-~]*")


def caller() -> Actor:
    """Returns the actor with the scopes of their token.

    An invalid bearer token makes the caller anonymous, as in Quay; a cookie beside it is ignored.
    """
    address = client_address(request.request())
    token = bearer()
    if token is not None:
        identity = services().identity.authentication.by_bearer(token)
    else:
        cookie = session_cookie()
        identity = services().identity.sessions.believe(cookie) if cookie else None
    actor = identity.actor(address) if identity else ANONYMOUS
    note_actor(actor)
    return replace(actor, address=address, agent=request.agent())


def bearer() -> str | None:
    """Returns the bearer token of the request, None without one."""
    scheme, _, token = request.header("authorization").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def check_csrf(actor: Actor) -> None:
    """Raises CsrfInvalid without the session's CSRF token, unless a valid bearer token was sent."""
    if bearer() is not None and not actor.is_anonymous:
        return
    token = request.header("x-csrf-token") or request.parameter("_csrf_token") or ""
    services().identity.sessions.check_csrf(session_cookie(), token)


def cookie_name() -> str:
    """Returns the session cookie's name: behind https one that no other host and no script can set."""
    return "__Host-session" if settings().url.startswith("https:") else "session"


def session_cookie() -> str:
    """Returns the session cookie's value, empty without one.

    Raises FieldInvalid for a value with characters that no cookie has (RFC 6265 section 4.1.1), such as line breaks: it
    is no session, and no header can carry it back.
    """
    try:
        morsel = SimpleCookie(request.header("cookie")).get(cookie_name())
    except CookieError:
        return ""
    value = morsel.value if morsel else ""
    if not COOKIE.fullmatch(value):
        why = f"the value of {cookie_name()!r} has a character that no cookie has: delete the cookies of this site"
        raise FieldInvalid("Cookie", why)
    return value


def session_headers(session: Session) -> dict[str, str]:
    """Returns the headers that set the session's cookie and carry the CSRF token of the next change."""
    secure = "; Secure" if settings().url.startswith("https:") else ""
    cookie = f"{cookie_name()}={session.cookie}; Path=/; HttpOnly; SameSite=Lax{secure}"
    return {"Set-Cookie": cookie, "X-Next-CSRF-Token": session.csrf, "Cache-Control": "no-store"}

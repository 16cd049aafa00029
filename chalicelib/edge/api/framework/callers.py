"""Who calls the API: a token in the Authorization header, or a session's cookie; never both, and never a password."""

from dataclasses import replace
from http.cookies import CookieError, SimpleCookie

from chalicelib.domain.permissions import ANONYMOUS, Actor
from chalicelib.edge import request
from chalicelib.edge.origins import address_of
from chalicelib.services.identity.sessions import Session
from chalicelib.settings import settings
from chalicelib.wiring import services


def caller() -> Actor:
    """Who asks, with what their token lets through.

    A bearer token that is none of ours speaks for nobody, as in Quay; the cookie beside it is never looked at.
    """
    address = address_of(request.request())
    shown = bearer()
    if shown is not None:
        found = services().identity.authentication.by_bearer(shown)
    else:
        cookie = session_cookie()
        found = services().identity.sessions.believe(cookie) if cookie else None
    return replace(found.actor(address) if found else ANONYMOUS, address=address, agent=request.agent())


def bearer() -> str | None:
    """The bearer token that was shown, None without one."""
    scheme, _, token = request.header("authorization").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def check_csrf(actor: Actor) -> None:
    """Raises CsrfInvalid for a change without the session's CSRF token, unless a valid bearer token asks for it."""
    if bearer() is not None and not actor.is_anonymous:
        return
    shown = request.header("x-csrf-token") or request.parameter("_csrf_token") or ""
    services().identity.sessions.check_csrf(session_cookie(), shown)


def cookie_name() -> str:
    """The session cookie's name: behind https one that no other host and no script can set."""
    return "__Host-session" if settings().url.startswith("https:") else "session"


def session_cookie() -> str:
    """The session cookie's value, empty without one."""
    try:
        morsel = SimpleCookie(request.header("cookie")).get(cookie_name())
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def with_session(session: Session) -> dict[str, str]:
    """The headers that give a browser its session, and scripts the CSRF token of their next change."""
    secure = "; Secure" if settings().url.startswith("https:") else ""
    cookie = f"{cookie_name()}={session.cookie}; Path=/; HttpOnly; SameSite=Lax{secure}"
    return {"Set-Cookie": cookie, "X-Next-CSRF-Token": session.csrf, "Cache-Control": "no-store"}

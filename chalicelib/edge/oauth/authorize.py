"""OAuth: the authorization request, the user's decision, and the exchange of a code (RFC 6749 §3)."""

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlencode

from chalicelib.domain.consents import Consent, ConsentAnswer
from chalicelib.domain.errors import (
    BodyTooLarge,
    CsrfInvalid,
    Denied,
    RegistryError,
    ResourceUnknown,
    TooManyAttempts,
    Unauthenticated,
    WrongCredentials,
)
from chalicelib.domain.permissions import ANONYMOUS, Actor
from chalicelib.edge import request
from chalicelib.edge.api.framework import callers
from chalicelib.edge.api.framework.errors import to_reply
from chalicelib.edge.api.framework.operations import TEXT, Operations, Parameter, a_page, an_object, one_of, text
from chalicelib.edge.api.identity.applications import application_public_json, scope_json
from chalicelib.edge.oauth import pages
from chalicelib.edge.origins import client_address
from chalicelib.edge.response import Reply, as_json, empty
from chalicelib.wiring import services

operations = Operations(__name__, "oauth")
LARGEST_FORM = 64 * 1024
# The fields of an authorization request; the forms of the pages repeat all of them.
FIELDS = (
    "client_id", "redirect_uri", "scope", "response_type", "state", "code_challenge", "code_challenge_method",
    "assignment_uuid",
)  # fmt: skip
REQUIRED = ("client_id", "redirect_uri", "scope")
TOKEN = an_object({"access_token": TEXT, "token_type": TEXT, "expires_in": {"type": "integer"}})


REQUEST_FIELDS = {
    "client_id": text("The application that asks"),
    "redirect_uri": text("The URI to which the user is sent back: exactly one that the application registered"),
    "scope": text("The scopes that are requested, separated by spaces"),
    "response_type": one_of("token", "code"),
    "state": text("A value of the application's own, which it gets back"),
    "code_challenge": text("The S256 challenge of a code (RFC 7636)"),
    "code_challenge_method": text("S256"),
    "assignment_uuid": text("The id of the offer of this token, for users who do not administer the application"),
}
CSRF = text("The CSRF token of the session")
REQUEST_PARAMETERS = (
    *(
        Parameter(name, "string", schema.get("description", ""), name in REQUIRED)
        for name, schema in REQUEST_FIELDS.items()
    ),
    Parameter("format", "string", "`json` for the authorization request as JSON instead of a page"),
    Parameter("prompt", "string", "`login` to sign in as somebody else"),
)
SIGN_IN = an_object({"username": TEXT, "password": TEXT, "_csrf_token": CSRF}, **REQUEST_FIELDS)
DECISION = an_object({"_csrf_token": CSRF}, **REQUEST_FIELDS)
CODE = an_object(
    {"grant_type": text("authorization_code"), "code": TEXT, "redirect_uri": TEXT},
    client_id=TEXT,
    client_secret=TEXT,
    code_verifier=TEXT,
)
DECIDE: dict[str, Any] = {
    "form": DECISION,
    "answers": {302: None},
    "errors": (401, 403, 404),
    "is_internal": True,
    "is_csrf_free": True,
}
EXCHANGE_ERROR = an_object({"error": TEXT}, error_description=TEXT)


@operations.get(
    "/oauth/authorize",
    "authorizeApplication",
    parameters=REQUEST_PARAMETERS,
    answers={200: a_page(), 302: None, 401: a_page()},
    errors=(403, 404),
    is_internal=True,
)
def authorize(actor: Actor) -> Reply:
    """Asks a user for consent to an application, after asking anonymous callers to sign in."""
    return _for_people(actor, lambda: _authorize(actor))


def _authorize(actor: Actor) -> Reply:
    query = {name: value for name in FIELDS if (value := request.parameter(name))}
    query.setdefault("response_type", "token")
    missing = next((name for name in REQUIRED if name not in query), None)
    if missing:
        return as_json({"error": f"Required param: {missing}"}, 400)
    session = services().identity.sessions.anonymous(callers.session_cookie())
    fields, headers = {**query, "_csrf_token": session.csrf}, callers.session_headers(session)
    wants_json = request.parameter("format") == "json"
    is_asked = request.parameter("prompt") == "login"
    if (actor.is_anonymous or is_asked) and not wants_json:
        services().identity.oauth.check_application(query)
        status = 200 if is_asked else 401
        return pages.page(status, "Sign in", pages.sign_in(fields), headers, query["redirect_uri"])
    consent = services().identity.oauth.consider(actor, query)
    if isinstance(consent, ConsentAnswer):
        return _redirected(consent)
    if consent.is_given:
        return _redirected(services().identity.oauth.decide(actor, query, allow=True))
    if wants_json:
        return as_json(_consent_json(consent, query, session.csrf), headers=headers)
    title = f"{consent.application.name} asks for your permission"
    user = pages.signed_in(actor.name, _other_account(query))
    body = pages.consent(consent.application, consent.scopes, fields, user)
    return pages.page(200, title, body, headers, query["redirect_uri"])


def _other_account(query: Mapping[str, str]) -> str:
    """Returns the address where somebody else signs in for the same authorization request."""
    return "/oauth/authorize?" + urlencode({**query, "prompt": "login"})


def _for_people(actor: Actor, answer: Callable[[], Reply]) -> Reply:
    """Returns an answer; if it is a refusal and a browser asked, a page that says the same to its user."""
    try:
        reply = answer()
    except RegistryError as error:
        if not _is_browser():
            raise
        reply, why = to_reply(error, None), _why(error)
    else:
        if reply.status_code < HTTPStatus.BAD_REQUEST or not _is_browser() or not _is_json(reply):
            return reply
        document = json.loads(reply.body)
        why = document.get("error_description") or document["error"]
    query = {name: value for name in FIELDS if (value := request.parameter(name))}
    user = "" if actor.is_anonymous or not query else pages.signed_in(actor.name, _other_account(query))
    return pages.page(reply.status_code, "This request is refused", pages.refusal(why, user))


def _is_browser() -> bool:
    return "text/html" in request.header("accept") and request.parameter("format") != "json"


def _is_json(reply: Reply) -> bool:
    return str(reply.headers.get("Content-Type", "")).startswith("application/json")


def _why(error: RegistryError) -> str:
    """Returns why a request is refused, and what its user can do."""
    if isinstance(error, ResourceUnknown):
        return f"There is {error}. Ask whoever gave you this link for a new one."
    if isinstance(error, CsrfInvalid | Unauthenticated):
        return "You are no longer signed in, or signed in again meanwhile. Go back to the application and start again."
    if isinstance(error, Denied):
        return "You may not allow this application: only administrators of its organization and whom they asked may."
    return str(error)


def _consent_json(consent: Consent, query: dict[str, str], csrf: str) -> dict[str, Any]:
    scopes = [scope_json(name) for name in consent.scopes]
    return {
        "scopes": scopes,
        "has_dangerous_scopes": any(scope["dangerous"] for scope in scopes),
        "application": application_public_json(consent.application),
        "response_type": query["response_type"],
        "client_id": query["client_id"],
        "redirect_uri": query["redirect_uri"],
        "scope": query["scope"],
        "csrf_token_val": csrf,
        "state": query.get("state"),
        "assignment_uuid": query.get("assignment_uuid"),
    }


@operations.post(
    "/oauth/signin",
    "signinForConsent",
    form=SIGN_IN,
    answers={303: None, 401: a_page(), 429: a_page()},
    errors=(403,),
    is_internal=True,
    is_csrf_free=True,
)
def sign_in() -> Reply:
    """Signs a user in and returns to the authorization request."""
    return _for_people(ANONYMOUS, _sign_in)


def _sign_in() -> Reply:
    form = _form()
    query = {name: form[name] for name in FIELDS if name in form}
    cookie = callers.session_cookie()
    services().identity.sessions.check_csrf(cookie, form.get("_csrf_token", ""))
    address = client_address(request.request())
    try:
        _, session = services().identity.sessions.sign_in(
            form.get("username", ""), form.get("password", ""), address, cookie
        )
    except (WrongCredentials, TooManyAttempts) as error:
        fields = {**query, "_csrf_token": form.get("_csrf_token", "")}
        return _sign_in_again(error, fields)
    return Reply("", {"Location": "/oauth/authorize?" + urlencode(query), **callers.session_headers(session)}, 303)


def _sign_in_again(error: WrongCredentials | TooManyAttempts, fields: dict[str, str]) -> Reply:
    """Returns the sign-in page with the reason of the refusal, and the seconds to wait after too many attempts."""
    leads_to = fields.get("redirect_uri", "")
    if isinstance(error, WrongCredentials):
        return pages.page(401, "Sign in", pages.sign_in(fields, str(error)), leads_to=leads_to)
    wait = {"Retry-After": str(error.retry_after_s)}
    return pages.page(429, "Sign in", pages.sign_in(fields, str(error)), wait, leads_to)


@operations.post("/oauth/authorizeapp", "allowApplication", **DECIDE)
def allow(actor: Actor) -> Reply:
    """Takes the user's consent and redirects to the application."""
    return _for_people(actor, lambda: _decide(actor, allow=True))


@operations.post("/oauth/denyapp", "denyApplication", **DECIDE)
def deny(actor: Actor) -> Reply:
    """Takes the user's refusal and redirects to the application."""
    return _for_people(actor, lambda: _decide(actor, allow=False))


def _decide(actor: Actor, *, allow: bool) -> Reply:
    form = _form()
    # The form carries the CSRF token: a page without scripts cannot send a header.
    services().identity.sessions.check_csrf(callers.session_cookie(), form.get("_csrf_token", ""))
    query = {name: form[name] for name in FIELDS if name in form}
    return _redirected(services().identity.oauth.decide(actor, query, allow=allow))


@operations.post(
    "/oauth/access_token",
    "exchangeCode",
    form=CODE,
    answers={200: TOKEN, 400: EXCHANGE_ERROR, 401: EXCHANGE_ERROR},
    is_internal=True,
    is_csrf_free=True,
)
def exchange() -> Reply:
    """Exchanges an authorization code for a token."""
    outcome = services().identity.oauth.exchange(_form(), request.header("authorization"))
    document = {**outcome.document, "refresh_token": None} if outcome.status == 200 else dict(outcome.document)
    return as_json(document, outcome.status, {"Cache-Control": "no-store", "Pragma": "no-cache"})


@operations.get("/oauth/localapp", "showToken", answers={200: a_page()}, is_internal=True)
def local_page() -> Reply:
    """Shows the token that the page's URL contains."""
    return pages.page(200, "Access token", pages.token())


def _form() -> dict[str, str]:
    """Returns the fields of a form. Raises BodyTooLarge."""
    content = request.body()
    if len(content) > LARGEST_FORM:
        raise BodyTooLarge(LARGEST_FORM, "send a shorter form")
    return dict(parse_qsl(content.decode("utf-8", "replace"), keep_blank_values=True))


def _redirected(outcome: ConsentAnswer) -> Reply:
    """Redirects to the application, or returns the error."""
    if outcome.location:
        headers = {"Location": outcome.location, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        return empty(302, headers)
    return as_json(dict(outcome.document), outcome.status)

"""OAuth's endpoints: the question, its answer, and the exchange of a code (RFC 6749 §3)."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

from chalicelib.domain.consents import Consent, ConsentAnswer
from chalicelib.domain.errors import BodyTooLarge, TooManyAttempts, WrongCredentials
from chalicelib.domain.permissions import Actor
from chalicelib.edge import request
from chalicelib.edge.api.framework import callers
from chalicelib.edge.api.framework.errors import problem
from chalicelib.edge.api.framework.operations import TEXT, Operations, Parameter, a_page, an_object, one_of, text
from chalicelib.edge.api.identity.applications import public, scope_shape
from chalicelib.edge.oauth import pages
from chalicelib.edge.origins import address_of
from chalicelib.edge.response import Reply, as_json, empty
from chalicelib.wiring import services

operations = Operations(__name__, "oauth")
LARGEST_FORM = 64 * 1024
# What a question is made of; all of it goes along to the answer.
FIELDS = (
    "client_id", "redirect_uri", "scope", "response_type", "state", "code_challenge", "code_challenge_method",
    "assignment_uuid",
)  # fmt: skip
REQUIRED = ("client_id", "redirect_uri", "scope")
TOKEN = an_object({"access_token": TEXT, "token_type": TEXT, "expires_in": {"type": "integer"}})


ASKED = {
    "client_id": text("The application that asks"),
    "redirect_uri": text("Where the user is sent back to: to the letter one that the application told"),
    "scope": text("What is asked for: scopes, separated by spaces"),
    "response_type": one_of("token", "code"),
    "state": text("A word of the application's own, which it gets back"),
    "code_challenge": text("The S256 challenge of a code (RFC 7636)"),
    "code_challenge_method": text("S256"),
    "assignment_uuid": text("The offer of this token to the user, where they do not administer the application"),
}
CSRF = text("The CSRF token of the session")
QUESTION = (
    *(Parameter(name, "string", schema.get("description", ""), name in REQUIRED) for name, schema in ASKED.items()),
    Parameter("format", "string", "`json` for the question as JSON"),
)
SIGN_IN = an_object({"username": TEXT, "password": TEXT, "_csrf_token": CSRF}, **ASKED)
DECISION = an_object({"_csrf_token": CSRF}, **ASKED)
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
NOT_GIVEN = an_object({"error": TEXT}, error_description=TEXT)


@operations.get(
    "/oauth/authorize",
    "authorizeApplication",
    parameters=QUESTION,
    answers={200: a_page(), 302: None, 401: a_page()},
    errors=(403, 404),
    is_internal=True,
)
def authorize(actor: Actor) -> Reply:
    """Asks a user whether an application may act in their name; strangers are asked to sign in first."""
    asked = {name: value for name in FIELDS if (value := request.parameter(name))}
    asked.setdefault("response_type", "token")
    missing = next((name for name in REQUIRED if name not in asked), None)
    if missing:
        told = f"Required param: {missing}"
        return problem(400, "invalid_request", told, error=told)
    session = services().identity.sessions.anonymous(callers.session_cookie())
    fields, headers = {**asked, "_csrf_token": session.csrf}, callers.with_session(session)
    wants_json = request.parameter("format") == "json"
    if actor.is_anonymous and not wants_json:
        return pages.page(401, "Sign in", pages.sign_in(fields), headers)
    consent = services().identity.oauth.consider(actor, asked)
    if isinstance(consent, ConsentAnswer):
        return _sent(consent)
    if consent.is_given:
        return _sent(services().identity.oauth.decide(actor, asked, allow=True))
    if wants_json:
        return as_json(_question(consent, asked, session.csrf), headers=headers)
    title = f"{consent.application.name} asks for your permission"
    return pages.page(200, title, pages.consent(consent.application, consent.scopes, fields), headers)


def _question(consent: Consent, asked: dict[str, str], csrf: str) -> dict[str, Any]:
    scopes = [scope_shape(name) for name in consent.scopes]
    return {
        "scopes": scopes,
        "has_dangerous_scopes": any(scope["dangerous"] for scope in scopes),
        "application": public(consent.application),
        "response_type": asked["response_type"],
        "client_id": asked["client_id"],
        "redirect_uri": asked["redirect_uri"],
        "scope": asked["scope"],
        "csrf_token_val": csrf,
        "state": asked.get("state"),
        "assignment_uuid": asked.get("assignment_uuid"),
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
    """Signs in on the way to a question."""
    form = _form()
    asked = {name: form[name] for name in FIELDS if name in form}
    cookie = callers.session_cookie()
    services().identity.sessions.check_csrf(cookie, form.get("_csrf_token", ""))
    address = address_of(request.request())
    try:
        _, session = services().identity.sessions.sign_in(
            form.get("username", ""), form.get("password", ""), address, cookie
        )
    except (WrongCredentials, TooManyAttempts) as error:
        fields = {**asked, "_csrf_token": form.get("_csrf_token", "")}
        return _not_in(error, fields)
    return Reply("", {"Location": "/oauth/authorize?" + urlencode(asked), **callers.with_session(session)}, 303)


def _not_in(error: WrongCredentials | TooManyAttempts, fields: dict[str, str]) -> Reply:
    """The page again, with what was wrong, or how long to wait after that."""
    if isinstance(error, WrongCredentials):
        return pages.page(401, "Sign in", pages.sign_in(fields, str(error)))
    return pages.page(429, "Sign in", pages.sign_in(fields, str(error)), {"Retry-After": str(error.retry_after_s)})


@operations.post("/oauth/authorizeapp", "allowApplication", **DECIDE)
def allow(actor: Actor) -> Reply:
    """The user's yes."""
    return _decide(actor, allow=True)


@operations.post("/oauth/denyapp", "denyApplication", **DECIDE)
def deny(actor: Actor) -> Reply:
    """The user's no."""
    return _decide(actor, allow=False)


def _decide(actor: Actor, *, allow: bool) -> Reply:
    form = _form()
    # The form brings the token itself: a page without scripts cannot send a header.
    services().identity.sessions.check_csrf(callers.session_cookie(), form.get("_csrf_token", ""))
    asked = {name: form[name] for name in FIELDS if name in form}
    return _sent(services().identity.oauth.decide(actor, asked, allow=allow))


@operations.post(
    "/oauth/access_token",
    "exchangeCode",
    form=CODE,
    answers={200: TOKEN, 400: NOT_GIVEN, 401: NOT_GIVEN},
    is_internal=True,
    is_csrf_free=True,
)
def exchange() -> Reply:
    """A token for a code."""
    outcome = services().identity.oauth.exchange(_form(), request.header("authorization"))
    told = {**outcome.document, "refresh_token": None} if outcome.status == 200 else dict(outcome.document)
    return as_json(told, outcome.status, {"Cache-Control": "no-store", "Pragma": "no-cache"})


@operations.get("/oauth/localapp", "showToken", answers={200: a_page()}, is_internal=True)
def local_page() -> Reply:
    """Shows the token in its own address to whoever made it."""
    return pages.page(200, "Access token", pages.token())


def _form() -> dict[str, str]:
    """The fields of a form. Raises BodyTooLarge."""
    content = request.body()
    if len(content) > LARGEST_FORM:
        raise BodyTooLarge(LARGEST_FORM, "send a shorter form")
    return dict(parse_qsl(content.decode("utf-8", "replace"), keep_blank_values=True))


def _sent(outcome: ConsentAnswer) -> Reply:
    """Off to where the application is, or what is wrong."""
    if outcome.location:
        headers = {"Location": outcome.location, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        return empty(302, headers)
    document = dict(outcome.document)
    return problem(outcome.status, "invalid_request", str(document.get("error_description", "")), **document)

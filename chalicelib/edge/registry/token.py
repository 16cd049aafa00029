"""`/v2/auth`: issues access tokens for name and password, or for anonymous clients.

https://distribution.github.io/distribution/spec/auth/token/ and .../oauth/
"""

import datetime
from urllib.parse import parse_qs

from chalice.app import Blueprint

from chalicelib.domain.errors import ScopeInvalid, Unauthenticated
from chalicelib.edge import request
from chalicelib.edge.origins import client_address
from chalicelib.edge.response import Reply, as_json
from chalicelib.services.identity.tokens import IssuedToken
from chalicelib.wiring import services

blueprint = Blueprint(__name__)
LARGEST_FORM = 64 * 1024


@blueprint.route("/v2/auth", methods=["GET"])
def get() -> Reply:
    """Issues a token for the credentials of the Authorization header."""
    scopes = request.parameters("scope")
    return _issue(request.credentials(), request.parameter("service"), scopes)


@blueprint.route("/v2/auth", methods=["POST"])
def post() -> Reply:
    """Issues a token for the credentials of a form. Refresh tokens are neither issued nor accepted."""
    if len(request.body()) > LARGEST_FORM:
        raise ScopeInvalid(f"a form has at most {LARGEST_FORM} bytes")
    form = parse_qs(request.body().decode("utf-8", "replace"))
    grant = form.get("grant_type", ["password"])[0]
    if grant != "password":
        raise Unauthenticated(f"grant_type {grant[:40]!r} is not supported: use password")
    name, secret = form.get("username", [""])[0], form.get("password", [""])[0]
    credentials = (name, secret) if name or secret else request.credentials()
    return _issue(credentials, form.get("service", [None])[0], form.get("scope", []))


def _issue(credentials: tuple[str, str] | None, service: str | None, scopes: list[str]) -> Reply:
    issued: IssuedToken = services().identity.tokens.issue(
        credentials, service, scopes, client_address(request.request())
    )
    issued_at = datetime.datetime.fromtimestamp(int(issued.issued_at), datetime.UTC)
    document = {
        "token": issued.token,
        "access_token": issued.token,
        "token_type": "Bearer",
        "expires_in": issued.expires_in,
        "issued_at": issued_at.isoformat().replace("+00:00", "Z"),
    }
    return as_json(document, headers={"Cache-Control": "no-store"})

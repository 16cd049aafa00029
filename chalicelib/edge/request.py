"""Who asks, and what they sent: the request of the moment in the domain's words."""

import base64
from collections.abc import Mapping
from dataclasses import replace

from chalice.app import Request

from chalicelib.domain.errors import FieldInvalid, Unauthenticated
from chalicelib.domain.permissions import ANONYMOUS, Actor
from chalicelib.edge.application import RegistryApp
from chalicelib.edge.origins import address_of
from chalicelib.wiring import services

LONGEST_NUMBER = 18
LONGEST_AGENT = 200


def request() -> Request:
    """The request of this thread."""
    current = RegistryApp._request.get()
    if current is None:
        raise RuntimeError("there is no request now")
    return current


def actor() -> Actor:
    """Who asks, by the bearer token; without one, nobody, with no grants. Raises Unauthenticated for a bad token."""
    asked = request()
    address = address_of(asked)
    scheme, _, token = (asked.headers.get("authorization") or "").partition(" ")
    if not scheme:
        return replace(ANONYMOUS, address=address, agent=agent())
    if scheme.lower() != "bearer":
        raise Unauthenticated("this needs a bearer token: the challenge says where to get one")
    return replace(services().identity.tokens.believe(token.strip()), address=address, agent=agent())


def agent() -> str:
    """What the client calls itself, so much of it as a log keeps."""
    return header("user-agent")[:LONGEST_AGENT]


def parameter(name: str) -> str | None:
    """A query parameter, the last where it was given several times."""
    values = parameters(name)
    return values[-1] if values else None


def parameters(name: str) -> list[str]:
    """All values of a query parameter."""
    given = request().query_params
    return list(given.getlist(name)) if given and name in given else []


def flag(name: str, otherwise: bool = False) -> bool:
    """A query parameter that is yes or no, read as Quay reads it."""
    value = parameter(name)
    return otherwise if value is None else value.lower() not in ("false", "0", "null", "")


def number(name: str, otherwise: int) -> int:
    """A query parameter that is a whole number from 0 up. Raises FieldInvalid."""
    value = parameter(name)
    if value is None:
        return otherwise
    if not value.isascii() or not value.isdigit() or len(value) > LONGEST_NUMBER:
        raise FieldInvalid(name, "say a whole number from 0 up")
    return int(value)


def header(name: str) -> str:
    """A request header, empty where it is missing."""
    headers: Mapping[str, str] = request().headers
    return headers.get(name) or ""


def body() -> bytes:
    """The exact bytes that were sent."""
    raw = request().raw_body
    return raw if isinstance(raw, bytes) else raw.encode()


def credentials() -> tuple[str, str] | None:
    """Name and password of the Authorization header (RFC 7617), None without one. Raises Unauthenticated."""
    scheme, _, encoded = header("authorization").partition(" ")
    if not scheme:
        return None
    if scheme.lower() != "basic":
        raise Unauthenticated("sign in with name and password")
    try:
        name, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except ValueError:
        raise Unauthenticated("the Authorization header cannot be read") from None
    if not colon:
        raise Unauthenticated("the Authorization header cannot be read")
    return name, secret

"""The current request: its actor, parameters, headers, body and credentials."""

import base64
from collections.abc import Mapping
from dataclasses import replace

from chalice.app import Request

from chalicelib.domain.errors import ParameterInvalid, Unauthenticated
from chalicelib.domain.permissions import ANONYMOUS, Actor
from chalicelib.edge.application import RegistryApp
from chalicelib.edge.origins import client_address
from chalicelib.edge.request_lines import note_actor
from chalicelib.wiring import services

LONGEST_NUMBER = 18
LONGEST_AGENT = 200


def request() -> Request:
    """Returns the request of this thread. Raises RuntimeError outside of one."""
    current = RegistryApp._request.get()
    if current is None:
        raise RuntimeError("there is no current request")
    return current


def actor() -> Actor:
    """Returns the actor of the bearer token, or ANONYMOUS without one. Raises Unauthenticated for a bad token."""
    current = request()
    address = client_address(current)
    scheme, _, token = (current.headers.get("authorization") or "").partition(" ")
    if not scheme:
        return replace(ANONYMOUS, address=address, agent=agent())
    if scheme.lower() != "bearer":
        raise Unauthenticated("this needs a bearer token: the challenge says where to get one")
    believed = services().identity.tokens.believe(token.strip())
    note_actor(believed)
    return replace(believed, address=address, agent=agent())


def agent() -> str:
    """Returns the client's User-Agent, cut to the length that the usage log keeps."""
    return header("user-agent")[:LONGEST_AGENT]


def parameter(name: str) -> str | None:
    """Returns a query parameter, the last value if it was given several times, or None."""
    values = parameters(name)
    return values[-1] if values else None


def parameters(name: str) -> list[str]:
    """Returns all values of a query parameter."""
    query = request().query_params
    return list(query.getlist(name)) if query and name in query else []


def flag(name: str, default: bool = False) -> bool:
    """Returns a boolean query parameter, read as Quay reads it."""
    value = parameter(name)
    return default if value is None else value.lower() not in ("false", "0", "null", "")


def number(name: str, default: int) -> int:
    """Returns a query parameter that is a whole number from 0 up. Raises ParameterInvalid."""
    value = parameter(name)
    if value is None:
        return default
    if not value.isascii() or not value.isdigit() or len(value) > LONGEST_NUMBER:
        raise ParameterInvalid(name, "say a whole number from 0 up")
    return int(value)


def header(name: str) -> str:
    """Returns a request header, empty if it is missing."""
    headers: Mapping[str, str] = request().headers
    return headers.get(name) or ""


def body() -> bytes:
    """Returns the exact bytes that were sent."""
    raw = request().raw_body
    return raw if isinstance(raw, bytes) else raw.encode()


def credentials() -> tuple[str, str] | None:
    """Returns name and password of the Authorization header (RFC 7617), None without one. Raises Unauthenticated."""
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

"""What the ways of the gateway share: reading a body as it comes, and answering."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from infra.local.events import Headers

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Disconnected(Exception):
    """The client went away before its body was whole."""


async def chunks(receive: Receive) -> AsyncIterator[bytes]:
    """The body as it comes. Raises Disconnected."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        if message.get("body"):
            yield message["body"]
        more = message.get("more_body", False)


def header(scope: Mapping[str, Any], name: bytes) -> str:
    """A request header, the last where it stands several times."""
    values = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return values[-1] if values else ""


def length(scope: Mapping[str, Any]) -> int | None:
    """The body's length in bytes, None where it comes chunked."""
    text = header(scope, b"content-length")
    return int(text) if text.isdigit() else None if header(scope, b"transfer-encoding") else 0


async def reply(send: Send, status: int, headers: Headers, body: bytes = b"") -> None:
    """A whole answer."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, status: int, code: str, message: str) -> None:
    """An answer in the specification's error format. The rest of the body is not read, so the connection ends."""
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await reply(send, status, headers, body)

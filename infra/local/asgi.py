"""Reads bodies and sends answers over ASGI, for the gateway, the edge and the relay."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any

from chalicelib.domain.browsers import missing_protections
from infra.local.events import Headers

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


# A body of which nothing arrives for so many seconds is given up: it may hold a place that others wait for.
IDLE_S = 30


class BodyEnded(Exception):
    """A body ended before it was complete."""


class Disconnected(BodyEnded):
    """The client disconnected before it had sent its whole body."""


class Stalled(BodyEnded):
    """The client sent nothing for a while before it had sent its whole body."""


async def chunks(receive: Receive) -> AsyncIterator[bytes]:
    """Yields the body piece by piece as it arrives. Raises Disconnected, Stalled."""
    more = True
    while more:
        try:
            async with asyncio.timeout(IDLE_S):
                message = await receive()
        except TimeoutError:
            raise Stalled(f"nothing of the body arrived for {IDLE_S} seconds: send it again") from None
        if message["type"] == "http.disconnect":
            raise Disconnected
        if message.get("body"):
            yield message["body"]
        more = message.get("more_body", False)


def header(scope: Mapping[str, Any], name: bytes) -> str:
    """Returns a request header, the last of several with this name, or an empty string."""
    values = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return values[-1] if values else ""


def length(scope: Mapping[str, Any]) -> int | None:
    """Returns the body's length in bytes, or None if the body is chunked."""
    text = header(scope, b"content-length")
    return int(text) if text.isdigit() else None if header(scope, b"transfer-encoding") else 0


def protecting(send: Send) -> Send:
    """Returns a `send` that adds to every answer what no browser may do with it, unless the answer says so itself."""

    async def send_protected(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message["headers"])
            missing = missing_protections(name.decode("latin-1") for name, _ in headers)
            added = [(name.lower().encode(), value.encode()) for name, value in missing.items()]
            message = {**message, "headers": [*headers, *added]}
        await send(message)

    return send_protected


class Watched:
    """A `send` that knows what was sent: the status of the answer, 0 before it, and the bytes of its body."""

    def __init__(self, send: Send) -> None:
        self._send, self.status, self.sent = send, 0, 0

    async def __call__(self, message: Message) -> None:
        """Sends a message on."""
        self.status = message.get("status", self.status)
        self.sent += len(message.get("body", b""))
        await self._send(message)


async def reply(send: Send, status: int, headers: Headers, body: bytes = b"") -> None:
    """Sends a complete answer."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, status: int, code: str, message: str) -> None:
    """Sends an error in the specification's format and closes the connection, since the body is not read to its end."""
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        *([(b"retry-after", b"1")] if status == HTTPStatus.SERVICE_UNAVAILABLE else []),
    ]
    await reply(send, status, headers, body)

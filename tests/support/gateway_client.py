"""A client of the gateway in the same process, which speaks ASGI and may stop or leave in the middle of a body."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

from infra.local.gateway import Gateway
from tests.support.backends import Backend

Messages = list[dict[str, Any]]
LEAVES = {"type": "http.disconnect"}


async def exchange(gateway: Gateway, method: str, path: str, headers: Any = (), *, body: Messages | None = None) -> Any:
    """Returns status, body and headers of the answer, or None without one; a body without an end waits for ever."""
    messages, sent = list(body if body is not None else [{"type": "http.request"}]), []
    lines = [(name.encode(), value.encode()) for name, value in headers]
    path, _, query = path.partition("?")
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode()}
    scope |= {"headers": lines, "http_version": "1.1"}

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else await asyncio.Event().wait()  # type: ignore[return-value]

    async def send(message: Any) -> None:
        sent.append(message)

    await gateway(scope, receive, send)
    return (sent[0]["status"], json.loads(sent[1]["body"] or b"null"), dict(sent[0]["headers"])) if sent else None


def body(*chunks: bytes) -> Messages:
    """Returns the ASGI message of a complete body."""
    return [*({"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks), {"type": "http.request"}]


def left(*chunks: bytes) -> Messages:
    """Returns the ASGI messages of a client that leaves after these chunks."""
    return [*body(*chunks)[:-1], LEAVES]


def run(what: Coroutine[Any, Any, Any]) -> Any:
    """Runs a coroutine for at most 20 seconds."""
    return asyncio.run(asyncio.wait_for(what, 20))


def an_edge_upload(backend: Backend) -> str:
    """Returns the path of an open upload, whose body goes through the edge."""
    actor, name = backend.owner()
    upload = backend.services.registry.uploads.begin(actor, name, "sha256").token
    return f"/v2/{name}/blobs/uploads/{upload}?digest=sha256:{'0' * 64}"

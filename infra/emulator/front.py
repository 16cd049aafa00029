"""The host of an emulated deployment: it serves the registry at its root and enforces AWS's limits.

The emulator serves an API below a path of its own and accepts bodies of any size; API Gateway and Lambda do neither.
The front is also a proxy for the hosts of the emulated AWS that no resolver knows.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
import uvicorn
from yarl import URL

from infra.emulator.module import KEY_VALUE_STORE_URL
from infra.local.asgi import Disconnected, Receive, Scope, Send, chunks, header, reply
from infra.local.environment import LOOPBACK
from infra.local.errors import StackError
from infra.local.events import HOP_BY_HOP, LARGEST_EVENT, LARGEST_HEADERS, fits, headers_size, to_event

# The largest body that API Gateway accepts, in bytes.
LARGEST_PAYLOAD = 10 * 1024 * 1024
# The emulator holds bodies in memory, and so does the front.
LARGEST_BUFFERED = 256 * 1024 * 1024
START_S, STOP_S = 20, 10
TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=5)


@dataclass
class FrontRoute:
    """The target of the front: an API of the emulator, or the host name of the distribution in front of it."""

    emulator_url: str
    api_id: str = ""
    distribution: str = ""


class Front:
    """A server on a free port of loopback, in a thread of its own. Raises StackError if it does not start."""

    def __init__(self, emulator_url: str) -> None:
        self.route = FrontRoute(emulator_url)
        self._session: aiohttp.ClientSession | None = None
        self._socket = socket.create_server((LOOPBACK, 0), backlog=128)
        self.port: int = self._socket.getsockname()[1]
        # Clients try TLS first, and uvicorn would log that as an invalid request.
        config = uvicorn.Config(
            self, http="httptools", log_level="error", log_config=None, server_header=False, date_header=False
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self._thread.start()
        deadline = time.monotonic() + START_S
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise StackError("the front of the emulated deployment does not start")
            time.sleep(0.01)

    @property
    def host(self) -> str:
        """Returns the registry part of an image's name; clients accept `localhost` without TLS."""
        return f"localhost:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @property
    def proxy(self) -> str:
        """Returns its address as a proxy."""
        return f"http://{LOOPBACK}:{self.port}"

    def stop(self) -> None:
        """Stops the server."""
        self._server.should_exit = True
        self._thread.join(STOP_S)
        self._socket.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request, or acknowledges the server's start and end."""
        if scope["type"] == "lifespan":
            return await self._live(receive, send)
        with contextlib.suppress(Disconnected):
            await self._serve(scope, receive, send)
        return None

    async def _live(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "lifespan.shutdown":
            self._session = aiohttp.ClientSession(timeout=TIMEOUT, auto_decompress=False, trust_env=False)
            await send({"type": "lifespan.startup.complete"})
        if self._session:
            await self._session.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["raw_path"].decode("latin-1")
        host = header(scope, b"host")
        if host.endswith(KEY_VALUE_STORE_URL.partition("//")[2]):
            return await self._pass_on(scope, send, path, await _whole(receive, LARGEST_PAYLOAD) or b"", {})
        if self.route.distribution:
            # The edge function decides which bodies CloudFront accepts.
            body = await _whole(receive, LARGEST_BUFFERED)
            if body is None:
                return await _refuse(send, 413, f"this front holds at most {LARGEST_BUFFERED} bytes")
            through = {"Host": self.route.distribution, "X-Forwarded-Proto": "https"}
            return await self._pass_on(scope, send, path, body, through)
        if headers_size(scope) > LARGEST_HEADERS:
            return await _refuse(send, 431, "Request Header Fields Too Large")
        body = await _whole(receive, LARGEST_PAYLOAD)
        # AWS does not document how API Gateway answers a body between Lambda's limit and its own.
        if body is None or not fits(to_event(scope, body)):
            return await _refuse(send, 413, "Request Entity Too Large")
        place = f"/_aws/execute-api/{self.route.api_id}/$default{path}"
        return await self._pass_on(scope, send, place, body, {})

    async def _pass_on(self, scope: Scope, send: Send, path: str, body: bytes, more: Mapping[str, str]) -> None:
        assert self._session
        query = scope["query_string"].decode("latin-1")
        url = f"{self.route.emulator_url}{path}{'?' if query else ''}{query}"
        headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in scope["headers"]
            if name not in HOP_BY_HOP | {b"content-length"} | {each.lower().encode() for each in more}
        ]
        async with self._session.request(
            scope["method"],
            URL(url, encoded=True),
            headers=[*headers, *more.items()],
            data=body or None,
            allow_redirects=False,
            skip_auto_headers=("Content-Type", "User-Agent", "Accept", "Accept-Encoding"),
        ) as answer:
            content = await answer.read()
            if not self.route.distribution and 4 * len(content) / 3 + LARGEST_HEADERS > LARGEST_EVENT:
                return await _refuse(send, 500, "Internal Server Error")
            lines = [
                (name.lower(), value)
                for name, value in answer.raw_headers
                if name.lower() not in HOP_BY_HOP | {b"content-length"}
            ]
            # The answer to HEAD keeps the app's Content-Length.
            length = answer.headers.get("Content-Length") if scope["method"] == "HEAD" else str(len(content))
            if length is not None and answer.status not in (204, 304):
                lines.append((b"content-length", length.encode()))
            return await reply(send, answer.status, lines, content)


async def _whole(receive: Receive, limit: int) -> bytes | None:
    """Returns the body, or None if it has more bytes than the limit.

    It reads the rest of a body above the limit and drops it: a client that is still sending may see a reset instead of
    the answer.
    """
    body, size = bytearray(), 0
    async for content in chunks(receive):
        size += len(content)
        if size <= limit:
            body += content
        elif size > LARGEST_BUFFERED:
            return None
    return bytes(body) if size <= limit else None


async def _refuse(send: Send, status: int, message: str) -> None:
    """Refuses as API Gateway does, and closes the connection, since more of the body may follow."""
    body = json.dumps({"message": message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await reply(send, status, [*headers, (b"connection", b"close")], body)

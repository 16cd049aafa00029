"""Plays API Gateway and the edge on a laptop; it is one worker process of the local stack.

Small bodies become events of the same chalice app that runs on Lambda; larger bodies go to the edge or the relay.
"""

import argparse
import asyncio
import logging
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from contextvars import copy_context
from functools import partial
from pathlib import Path
from types import FrameType

import uvicorn

from app import app
from chalicelib.domain.downloads import PREFIX
from chalicelib.domain.errors import Unauthenticated
from chalicelib.domain.uploads import LARGEST_BODY
from chalicelib.telemetry import leave_line_out, note, one_line
from chalicelib.wiring import Services, services
from infra.local import access_log
from infra.local.asgi import (
    Disconnected,
    Receive,
    Scope,
    Send,
    Stalled,
    Watched,
    chunks,
    header,
    length,
    protecting,
    refuse,
    reply,
)
from infra.local.edge import LocalEdge
from infra.local.events import LARGEST_HEADERS, fits, from_answer, headers_size, to_event
from infra.local.places import Places
from infra.local.relaying import RelayedBody, Relaying
from infra.local.upload_routes import UploadRequest, UploadRoute
from infra.local.waking import after_arming, ring

INTEGRATION_S = 30
# A body above this size occupies one of a few places while it is in memory, so that many clients cannot fill it.
LIGHT_BYTES, HEAVY_PLACES, HEAVY_OF_ACCOUNT = 64 * 1024, 24, 12
READERS, WRITERS, SIGN_INS = 4, 8, 4
# What hashes a password or may ask another host for keys. It takes long, and must not keep reads and writes waiting.
SIGN_IN_ROUTES = frozenset(
    {
        ("GET", "/v2/auth"),
        ("POST", "/v2/auth"),
        ("GET", "/oauth2/federation/robot/token"),
        ("POST", "/oauth/signin"),
        ("POST", "/api/v1/signin"),
        ("POST", "/api/v1/signin/verify"),
        ("POST", "/api/v1/user"),
        ("PUT", "/api/v1/user"),
    }
)
log = logging.getLogger("gateway")


class Gateway:
    """An ASGI application in front of the chalice app."""

    def __init__(self, container: Services) -> None:
        self._container = container
        self._edge = LocalEdge(container)
        port = container.settings.url.rpartition(":")[2]
        self._relaying = Relaying(f"http://127.0.0.1:{port}", container.stores.secrets.relay)
        self._readers, self._writers = ThreadPoolExecutor(READERS, "read"), ThreadPoolExecutor(WRITERS, "write")
        self._sign_ins = ThreadPoolExecutor(SIGN_INS, "sign-in")
        self._heavy = Places(HEAVY_PLACES, HEAVY_OF_ACCOUNT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request, or acknowledges the server's start and end."""
        if scope["type"] == "lifespan":
            return await self._live(receive, send)
        watched = Watched(protecting(send))
        with one_line("request", operation=f"{scope['method']} gateway", address=_address(scope)) as line:
            try:
                await self._serve(scope, receive, watched)
            except Stalled as error:
                await refuse(watched, 408, "UNSUPPORTED", str(error))
            except Disconnected:
                note(error="client left")
            line.facts |= {"status": watched.status, "bytes_out": watched.sent}
        return None

    async def _live(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await self._edge.close()
        self._container.activity.usage_log.flush()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if headers_size(scope) > LARGEST_HEADERS:
            return await refuse(send, 431, "SIZE_INVALID", f"request line and headers exceed {LARGEST_HEADERS} bytes")
        if scope["path"].startswith(PREFIX) and scope["method"] in ("GET", "HEAD"):
            note(operation=f"{scope['method']} edge")
            return await self._edge.download(scope, send)
        path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
        target = UploadRequest.of(scope["method"], path, query, header(scope, b"content-range"))
        size = length(scope)
        route = UploadRoute.APP if size is None else target.route(size)
        if route is not UploadRoute.APP:
            note(operation=f"{scope['method']} {route.value}", repository=target.repository, bytes_in=size)
        if route is UploadRoute.EDGE:
            return await self._edge.upload(receive, send, target, size or 0)
        if route is UploadRoute.APP:
            return await self._small(scope, receive, send, target)
        if route is UploadRoute.RELAY:
            return await self._relaying.relay(scope, RelayedBody(receive, self._holder(scope)), send, target)
        return await self._refuse_size(send)

    async def _small(self, scope: Scope, receive: Receive, send: Send, target: UploadRequest) -> None:
        """Reads a body for the app; a chunked body shows only here that it is too large for it."""
        body, place, holder = bytearray(), AsyncExitStack(), self._holder(scope)
        async with place:
            try:
                async with asyncio.timeout(INTEGRATION_S):
                    async for content in chunks(receive):
                        if len(body) <= LIGHT_BYTES < len(body) + len(content):
                            await place.enter_async_context(self._heavy.held_by(holder))
                        body += content
                        if len(body) > LARGEST_BODY:
                            break
            except TimeoutError:
                return await refuse(send, 408, "UNSUPPORTED", f"the body did not arrive within {INTEGRATION_S} seconds")
            if len(body) <= LARGEST_BODY:
                return await self._ask(scope, send, bytes(body))
        begun = bytes(body)
        del body
        if target.route(None) is UploadRoute.RELAY:
            return await self._relaying.relay(scope, RelayedBody(receive, holder, begun), send, target)
        return await self._refuse_size(send)

    def _holder(self, scope: Scope) -> str:
        """Returns whose places a request takes: its account's, or its address's without a valid access token."""
        scheme, _, token = header(scope, b"authorization").partition(" ")
        try:
            actor = self._container.identity.tokens.believe(token.strip()) if scheme.lower() == "bearer" else None
        except Unauthenticated:
            actor = None
        return (actor and actor.account_id) or f"address {_address(scope)}"

    async def _refuse_size(self, send: Send) -> None:
        return await refuse(send, 413, "SIZE_INVALID", f"a body has at most {LARGEST_BODY} bytes here")

    async def _ask(self, scope: Scope, send: Send, body: bytes) -> None:
        event = to_event(scope, body)
        if not fits(event):
            return await self._refuse_size(send)
        call = asyncio.get_running_loop().run_in_executor(self._pool(scope, body), copy_context().run, app, event, None)
        try:
            answer = await asyncio.wait_for(asyncio.shield(call), INTEGRATION_S)
        except TimeoutError:
            return await refuse(send, 503, "UNAVAILABLE", f"no answer within {INTEGRATION_S} seconds: try again")
        # The app has written a line that says more.
        leave_line_out()
        return await reply(send, *from_answer(answer, scope["method"]))

    def _pool(self, scope: Scope, body: bytes) -> ThreadPoolExecutor:
        """Returns the threads for a request: those of sign-ins, of reads or of writes."""
        is_read = scope["method"] in ("GET", "HEAD")
        route = "GET" if is_read else scope["method"], scope["path"].rstrip("/")
        # A token for nobody costs no more than a read.
        if route in SIGN_IN_ROUTES and (body or header(scope, b"authorization")):
            return self._sign_ins
        return self._readers if is_read and not body else self._writers


def _address(scope: Scope) -> str:
    return str((scope.get("client") or ("", 0))[0])


class RestingServer(uvicorn.Server):
    """A server that wakes up once a second to write the date; uvicorn's own looks ten times whether it should end."""

    async def main_loop(self) -> None:
        """Runs until a signal."""
        self._ends, self._loop = asyncio.Event(), asyncio.get_running_loop()
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ends.wait(), 1)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Ends the server at once."""
        super().handle_exit(sig, frame)
        self._loop.call_soon_threadsafe(self._ends.set)


def main() -> None:
    """Serves on a socket that the supervisor opened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="file descriptor of the listening socket")
    parser.add_argument("--bell", type=int, required=True, help="file descriptor of the pipe that wakes the clockwork")
    arguments = parser.parse_args()
    listener = socket.socket(fileno=arguments.fd)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("botocore").setLevel(logging.WARNING)
    # docker and skopeo try TLS first, and uvicorn would log that as an invalid request.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    access_log.keep(Path(os.environ["CLOUDBERTH_DATA"]))
    container = services()
    # This makes both clients before the first request; concurrent threads would each make their own.
    container.accounts.accounts.has_first_user()
    container.stores.objects.exists("none")
    after_arming(container.stores.table.connection.client, partial(ring, arguments.bell))
    config = uvicorn.Config(
        Gateway(container),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=True,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=5,
        backlog=2048,
    )
    RestingServer(config).run(sockets=[listener])


if __name__ == "__main__":
    main()

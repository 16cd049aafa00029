"""Plays API Gateway and the edge on a laptop; it is one worker process of the local stack.

Small bodies become events of the same chalice app that runs on Lambda; larger bodies go to the edge or the relay.
"""

import argparse
import asyncio
import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from types import FrameType

import uvicorn

from app import app
from chalicelib.domain.downloads import PREFIX
from chalicelib.domain.logged_paths import logged_path
from chalicelib.domain.uploads import LARGEST_BODY
from chalicelib.wiring import Services, services
from infra.local.asgi import Disconnected, Receive, Scope, Send, chunks, header, length, protecting, refuse, reply
from infra.local.edge import LocalEdge
from infra.local.events import LARGEST_HEADERS, fits, from_answer, headers_size, to_event
from infra.local.relaying import Relaying
from infra.local.upload_routes import UploadRequest, UploadRoute
from infra.local.waking import after_arming, ring

INTEGRATION_S = 30
# A body above this size occupies one of a few places while it is in memory, so that many clients cannot fill it.
LIGHT_BYTES, HEAVY_PLACES = 64 * 1024, 24
READERS, WRITERS = 4, 8
log = logging.getLogger("gateway")


class Gateway:
    """An ASGI application in front of the chalice app."""

    def __init__(self, container: Services) -> None:
        self._container = container
        self._edge = LocalEdge(container)
        port = container.settings.url.rpartition(":")[2]
        self._relaying = Relaying(f"http://127.0.0.1:{port}", container.stores.secrets.relay)
        self._readers, self._writers = ThreadPoolExecutor(READERS, "read"), ThreadPoolExecutor(WRITERS, "write")
        self._heavy = asyncio.Semaphore(HEAVY_PLACES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request, or acknowledges the server's start and end."""
        if scope["type"] == "lifespan":
            return await self._live(receive, send)
        try:
            await self._serve(scope, receive, protecting(send))
        except Disconnected:
            log.info("client left", extra={"path": logged_path(scope["path"])})
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
            return await self._edge.download(scope, send)
        path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
        target = UploadRequest.of(scope["method"], path, query, header(scope, b"content-range"))
        size = length(scope)
        route = UploadRoute.APP if size is None else target.route(size)
        if route is UploadRoute.EDGE:
            return await self._edge.upload(receive, send, target, size or 0)
        if route is UploadRoute.APP:
            return await self._small(scope, receive, send, target)
        if route is UploadRoute.RELAY:
            return await self._relaying.relay(scope, receive, send, target, b"")
        return await self._refuse_size(send)

    async def _small(self, scope: Scope, receive: Receive, send: Send, target: UploadRequest) -> None:
        """Reads a body for the app; a chunked body shows only here that it is too large for it."""
        body, place = bytearray(), False
        try:
            async with asyncio.timeout(INTEGRATION_S):
                async for content in chunks(receive):
                    body += content
                    if len(body) > LIGHT_BYTES and not place:
                        await self._heavy.acquire()
                        place = True
                    if len(body) > LARGEST_BODY:
                        break
            if len(body) <= LARGEST_BODY:
                return await self._ask(scope, send, bytes(body))
        except TimeoutError:
            return await refuse(send, 408, "UNSUPPORTED", f"the body did not arrive within {INTEGRATION_S} seconds")
        finally:
            if place:
                self._heavy.release()
        begun = bytes(body)
        del body
        if target.route(None) is UploadRoute.RELAY:
            return await self._relaying.relay(scope, receive, send, target, begun)
        return await self._refuse_size(send)

    async def _refuse_size(self, send: Send) -> None:
        return await refuse(send, 413, "SIZE_INVALID", f"a body has at most {LARGEST_BODY} bytes here")

    async def _ask(self, scope: Scope, send: Send, body: bytes) -> None:
        event = to_event(scope, body)
        if not fits(event):
            return await self._refuse_size(send)
        pool = self._writers if body or scope["method"] not in ("GET", "HEAD") else self._readers
        call = asyncio.get_running_loop().run_in_executor(pool, copy_context().run, app, event, None)
        try:
            answer = await asyncio.wait_for(asyncio.shield(call), INTEGRATION_S)
        except TimeoutError:
            return await refuse(send, 503, "UNAVAILABLE", f"no answer within {INTEGRATION_S} seconds: try again")
        return await reply(send, *from_answer(answer, scope["method"]))


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

"""The relay inside the gateway: the same relay that runs beside a CI job or on Fargate, fed by the gateway's loop."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import requests

from chalicelib.domain.errors import BlobUploadInvalid, OutOfOrder, RegistryError, SizeInvalid
from chalicelib.domain.uploads import Chunk
from chalicelib.edge.registry.errors import to_reply
from infra.local.asgi import Disconnected, Receive, Scope, Send, chunks, header, length, refuse, reply
from infra.local.ways import Target
from relay.auth import Credentials
from relay.errors import Refused
from relay.parts import PartCutter
from relay.protocol import Answer
from relay.registry import Registry
from relay.streamed_upload import Reached, Stream

# How many bodies are on their way at once: each holds two parts of at least 8 MB, one filling and one leaving.
STREAMS = 4
T = TypeVar("T")
HANDED_ON = ("location", "range", "docker-content-digest", "docker-upload-uuid", "content-type", "www-authenticate")


class Relaying:
    """Feeds bodies to relays, whose blocking calls run in threads of their own."""

    def __init__(self, url: str, key: bytes) -> None:
        self._registry = Registry(url, key)
        self._threads = ThreadPoolExecutor(STREAMS, "relay")
        self._streams = asyncio.Semaphore(STREAMS)

    async def relay(self, scope: Scope, receive: Receive, send: Send, target: Target, begun: bytes) -> None:
        """Takes a body, of which `begun` has been read already, into its upload and answers for the registry."""
        credentials = Credentials.authorization(header(scope, b"authorization"))
        async with self._streams:
            try:
                answer = await self._answer(scope, receive, target, begun, credentials)
            except BlobUploadInvalid as error:
                return await refuse(send, 400, "BLOB_UPLOAD_INVALID", str(error))
            except Refused as refused:
                answer = Answer(refused.status, refused.headers, refused.body)
            except requests.RequestException as error:
                return await refuse(send, 503, "UNAVAILABLE", f"S3 did not take a part: {type(error).__name__}")
        headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers.items()]
        kept = [(name, value) for name, value in headers if name.decode() in HANDED_ON]
        kept.append((b"content-length", str(len(answer.body)).encode()))
        return await reply(send, answer.status, kept, answer.body)

    async def _answer(
        self, scope: Scope, receive: Receive, target: Target, begun: bytes, credentials: Credentials
    ) -> Answer:
        path = scope["raw_path"].decode("latin-1").rstrip("/")
        if target.method == "POST":
            algorithm = target.digest.partition(":")[0]
            begin = await self._run(self._registry.send, "POST", f"{path}/?digest-algorithm={algorithm}", credentials)
            if begin.status != 202:
                return begin
            path = begin.headers["Location"]
        stream = await self._run(Stream, self._registry, target.repository, path, credentials)
        chunk = Chunk.parse(target.range) if target.range else None
        if chunk and chunk.first != stream.offset:
            return _refused(OutOfOrder(stream.offset))
        if chunk and chunk.size != (length(scope) or chunk.size):
            return _refused(SizeInvalid(chunk.size, length(scope) or 0))
        reached = await self._feed(stream, receive, begun)
        if target.method == "PATCH":
            return _accepted(reached)
        closing = f"{reached.location}?digest={target.digest}"
        return await self._run(self._registry.send, "PUT", closing, stream.credentials)

    async def _feed(self, stream: Stream, receive: Receive, begun: bytes) -> Reached:
        """Fills one part while the one before it is sent."""
        cutter = PartCutter(stream.offset)
        leaving: asyncio.Future[None] | None = None
        gone: Disconnected | None = None
        try:
            async for chunk in _continued(begun, receive):
                for part in cutter.feed(chunk):
                    if leaving:
                        await leaving
                    leaving = asyncio.ensure_future(self._run(stream.put, bytes(part)))
        except Disconnected as error:
            # What has come stays: the client asks how far the upload is, and goes on from there.
            gone = error
        if leaving:
            await leaving
        reached = await self._run(stream.finish, cutter.rest())
        if gone:
            raise gone
        return reached

    async def _run(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)


async def _continued(begun: bytes, receive: Receive) -> AsyncIterator[bytes]:
    """Yields a body whose first bytes have been read already. Raises Disconnected."""
    yield begun
    async for chunk in chunks(receive):
        yield chunk


def _refused(error: RegistryError) -> Answer:
    reply = to_reply(error, None)
    return Answer(reply.status_code, {name: str(value) for name, value in reply.headers.items()}, reply.body.encode())


def _accepted(reached: Reached) -> Answer:
    headers = {
        "Location": reached.location,
        "Range": f"0-{reached.offset - 1}",
        "Docker-Upload-UUID": reached.upload,
    }
    return Answer(202, headers, b"")

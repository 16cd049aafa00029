"""The relay inside the gateway: its event loop feeds the same code that runs beside a CI job or on Fargate."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import requests

from chalicelib.domain.errors import BlobUploadInvalid, OutOfOrder, RegistryError, SizeInvalid
from chalicelib.domain.uploads import Chunk
from chalicelib.edge.registry.errors import to_reply
from infra.local.asgi import BodyEnded, Receive, Scope, Send, chunks, header, length, refuse, reply
from infra.local.places import Places
from infra.local.upload_routes import UploadRequest
from relay.auth import Credentials
from relay.errors import NoRoom, Refused, RelayError
from relay.parts import PartCutter
from relay.protocol import Response
from relay.registry import Registry
from relay.streamed_upload import StreamedUpload, UploadProgress

# The number of bodies received at once, of all accounts and of one. Each holds two parts of at least 8 MB: one is
# filled while the other is sent.
STREAMS, STREAMS_OF_ACCOUNT = 4, 2
T = TypeVar("T")
FORWARDED_HEADERS = (
    "location",
    "range",
    "docker-content-digest",
    "docker-upload-uuid",
    "content-type",
    "www-authenticate",
)


@dataclass(frozen=True, slots=True)
class RelayedBody:
    """A body whose `first_bytes` have been read already; `holder` is whose place among the streams it takes."""

    receive: Receive
    holder: str
    first_bytes: bytes = b""

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yields the whole body. Raises Disconnected, Stalled."""
        yield self.first_bytes
        async for chunk in chunks(self.receive):
            yield chunk


class Relaying:
    """Feeds bodies to streamed uploads, whose blocking calls run in threads of their own."""

    def __init__(self, url: str, key: bytes) -> None:
        self._registry = Registry(url, key)
        self._threads = ThreadPoolExecutor(STREAMS, "relay")
        self._streams = Places(STREAMS, STREAMS_OF_ACCOUNT)

    async def relay(self, scope: Scope, body: RelayedBody, send: Send, target: UploadRequest) -> None:
        """Receives a body and sends the registry's response. Raises Disconnected, Stalled."""
        credentials = Credentials.from_authorization(header(scope, b"authorization"))
        async with self._streams.held_by(body.holder):
            try:
                response = await self._respond(scope, body, target, credentials)
            except BlobUploadInvalid as error:
                return await refuse(send, 400, "BLOB_UPLOAD_INVALID", str(error))
            except NoRoom as error:
                return await refuse(send, 403, "DENIED", str(error))
            except Refused as refused:
                response = Response(refused.status, refused.headers, refused.body)
            except requests.RequestException as error:
                return await refuse(send, 503, "UNAVAILABLE", f"S3 did not take a part: {type(error).__name__}")
            except RelayError as error:
                return await refuse(send, 503, "UNAVAILABLE", str(error))
        headers = [(name.lower().encode(), value.encode()) for name, value in response.headers.items()]
        forwarded = [(name, value) for name, value in headers if name.decode() in FORWARDED_HEADERS]
        forwarded.append((b"content-length", str(len(response.body)).encode()))
        return await reply(send, response.status, forwarded, response.body)

    async def _respond(
        self, scope: Scope, body: RelayedBody, target: UploadRequest, credentials: Credentials
    ) -> Response:
        path = scope["raw_path"].decode("latin-1").rstrip("/")
        if target.method == "POST":
            algorithm = target.digest.partition(":")[0]
            opened = await self._run(self._registry.send, "POST", f"{path}/?digest-algorithm={algorithm}", credentials)
            if opened.status != 202:
                return opened
            path = opened.headers["Location"]
        stream = await self._run(StreamedUpload, self._registry, target.repository, path, credentials)
        chunk = Chunk.parse(target.range) if target.range else None
        if (chunk and chunk.first != stream.offset) or (not chunk and stream.is_superseded):
            return _error_response(OutOfOrder(stream.offset))
        if chunk and chunk.size != (length(scope) or chunk.size):
            return _error_response(SizeInvalid(chunk.size, length(scope) or 0))
        stream.check_room(length(scope))
        progress = await self._feed(stream, body)
        if target.method == "PATCH":
            return _chunk_accepted(progress)
        closing_target = f"{progress.location}?digest={target.digest}"
        return await self._run(self._registry.send, "PUT", closing_target, stream.credentials)

    async def _feed(self, stream: StreamedUpload, body: RelayedBody) -> UploadProgress:
        """Fills one part while the one before it is sent."""
        cutter = PartCutter(stream.offset)
        sending: asyncio.Future[None] | None = None
        ended: BodyEnded | None = None
        try:
            async for chunk in body.chunks():
                for part in cutter.feed(chunk):
                    if sending:
                        await sending
                    sending = asyncio.ensure_future(self._run(stream.put, bytes(part)))
        except BodyEnded as error:
            # The bytes that were received are stored: the client asks for the offset and continues from there.
            ended = error
        if sending:
            await sending
        progress = await self._run(stream.finish, cutter.rest())
        if ended:
            raise ended
        return progress

    async def _run(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)


def _error_response(error: RegistryError) -> Response:
    reply = to_reply(error, None)
    return Response(reply.status_code, {name: str(value) for name, value in reply.headers.items()}, reply.body.encode())


def _chunk_accepted(progress: UploadProgress) -> Response:
    headers = {
        "Location": progress.location,
        "Range": f"0-{progress.offset - 1}",
        "Docker-Upload-UUID": progress.upload,
    }
    return Response(202, headers, b"")

"""Uploads through a relay that has the installation's key: it hashes each body on the way and puts it into S3 in parts.

Nothing is written to disk. The local stack's gateway uses the same class. One part is sent while the next one is
received, so that a body takes the memory of two parts.
"""

import base64
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from chalicelib.domain import hashing
from chalicelib.domain.errors import BlobUploadInvalid
from chalicelib.domain.uploads import LARGEST_BODY, SMALLEST_PART
from relay.auth import Credentials
from relay.errors import ClientLeft, NoPlace, NoRoom, Refused
from relay.parts import PartCutter
from relay.places import Places
from relay.progress import ProgressBoard, ProgressLine
from relay.protocol import (
    RequestTarget,
    Response,
    check_range,
    chunk_accepted,
    closing_target,
    error_response,
    range_error,
)
from relay.registry import Registry
from relay.retries import Backoff
from relay.server import READ_SIZE, Body, PeekedBody

# The number of bodies that are received at once, of all accounts and of one, each with two parts of 8 MB or more; the
# others wait unread.
UPLOADS_AT_ONCE, UPLOADS_OF_ACCOUNT = 6, 4
# How long a body waits unread for others to end, in seconds: half of what CloudFront waits for an answer.
PATIENCE_S = 60.0
# When a client that was turned away may come again, in seconds.
RETRY_AFTER_S = 10
# The number of addresses that are requested at once: they are enough for 256 MB of parts.
ADDRESSES_AT_ONCE = 32
# The age in seconds up to which an address is used. It is valid for ten minutes, and a slow part takes minutes itself.
ADDRESS_FRESH_S = 180


@dataclass(frozen=True, slots=True)
class UploadProgress:
    """The state of an upload after a body: the location to continue at, and the size of the upload in bytes."""

    location: str
    offset: int
    upload: str


class StreamedUpload:
    """Sends one body in parts, which the caller cuts with PartCutter; it is not safe for several threads."""

    def __init__(
        self,
        registry: Registry,
        repository: str,
        location: str,
        credentials: Credentials,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry, self._repository, self._clock = registry, repository, clock
        addresses = registry.request_addresses(location, credentials, 0, ADDRESSES_AT_ONCE)
        self._hasher = hashing.resume(addresses["algorithm"], base64.b64decode(addresses["state"]))
        # The client's own token may expire before a long body ends.
        self.credentials = credentials.with_upload_token(addresses)
        self._offset_before: int = addresses["offset"]
        # How many bytes the upload may have, None without a quota.
        self._room: int | None = addresses.get("room")
        self._location_offset: int | None = addresses.get("location_offset")
        self._tail = registry.get_tail(addresses["tail"]) if addresses["tail"] else b""
        self._parts: list[tuple[int, str, int]] = []
        self._use(addresses)

    def _use(self, addresses: dict[str, Any]) -> None:
        self._location = f"/v2/{self._repository}/blobs/uploads/{addresses['upload']}"
        self._addresses = [(part["number"], part["address"]) for part in addresses["parts"]]
        self._fresh_until = self._clock() + ADDRESS_FRESH_S
        self._tail_key, self._tail_address = addresses["tail_key"], addresses["tail_address"]

    @property
    def offset(self) -> int:
        """The size of the upload in bytes: what it had before this body, and what was received of it."""
        return self._hasher.count

    @property
    def location(self) -> str:
        """Where the upload continues."""
        return self._location

    @property
    def is_superseded(self) -> bool:
        """Whether the upload got bytes since its `Location` was issued: a body without a range may be among them."""
        return self._location_offset not in (None, self._offset_before)

    def check_room(self, length: int | None) -> None:
        """Raises NoRoom if `length` more bytes exceed the namespace's quota; None, for a chunked body, never does."""
        if self._room is not None and self.offset + (length or 0) > self._room:
            raise NoRoom(self._room)

    def put(self, content: bytes) -> None:
        """Hashes and sends a part that is not the last. Raises NoRoom."""
        self.check_room(len(content))
        self._hasher.update(content)
        whole, self._tail = self._tail + content, b""
        if len(whole) < SMALLEST_PART:
            self._tail = whole
            return
        number, address = self._next_address()
        self._parts.append((number, self._registry.put_part(address, whole), len(whole)))

    def _next_address(self) -> tuple[int, str]:
        if not self._addresses or self._clock() > self._fresh_until:
            first = self._addresses[0][0] if self._addresses else self._parts[-1][0] + 1
            self._use(self._registry.request_addresses(self._location, self.credentials, first, ADDRESSES_AT_ONCE))
        number, address = self._addresses.pop(0)
        return number, address

    def finish(self, content: bytes) -> UploadProgress:
        """Sends the last bytes and reports all parts to the registry.

        Bytes that are too few for a part are stored in S3 as the tail, until another body continues the upload.
        """
        if content:
            self.put(content)
        if self._tail:
            # The addresses may have expired while a slow body was received: request new ones.
            first = self._parts[-1][0] + 1 if self._parts else 1
            self._use(self._registry.request_addresses(self._location, self.credentials, first, 1))
            self._registry.put_part(self._tail_address, self._tail)
        report = {
            "before": self._offset_before,
            "after": self.offset,
            "state": base64.b64encode(self._hasher.state()).decode("ascii"),
            "parts": self._parts,
            "tail": [self._tail_key, len(self._tail)] if self._tail else None,
        }
        stored = self._registry.report_parts(self._location, self.credentials, report)
        return UploadProgress(stored["location"], stored["offset"], stored["upload"])


class StreamedUploads:
    """Receives bodies of any size and sends them to S3 while they arrive."""

    def __init__(self, registry: Registry, board: ProgressBoard, patience_s: float) -> None:
        self._registry, self._board, self._patience_s = registry, board, patience_s
        self._places = Places(UPLOADS_AT_ONCE, UPLOADS_OF_ACCOUNT, PATIENCE_S)

    def accepts(self, target: RequestTarget, length: int | None) -> bool:
        """Returns whether a body is handled here; the registry takes small bodies itself."""
        return target.carries_blob and (length is None or length > LARGEST_BODY)

    def receive(self, target: RequestTarget, body: Body, credentials: Credentials) -> Response:
        """Receives a body and returns the registry's response. Raises ClientLeft, requests.RequestException."""
        try:
            with self._places.held_by(credentials.subject):
                return self._receive(target, body, credentials)
        except NoPlace as error:
            full = error_response(503, "UNAVAILABLE", str(error))
            return Response(full.status, {**full.headers, "Retry-After": str(RETRY_AFTER_S)}, full.body)
        except Refused as refused:
            return Response(refused.status, refused.headers, refused.body)
        except BlobUploadInvalid as error:
            return error_response(400, "BLOB_UPLOAD_INVALID", str(error))
        except NoRoom as error:
            return error_response(403, "DENIED", str(error))

    def status(self, _target: RequestTarget, response: Response) -> Response:
        """Returns the registry's response unchanged, since the registry knows the size of the upload."""
        return response

    def cancel(self, _target: RequestTarget) -> None:
        """Does nothing: no bytes of an upload are kept here."""

    def _receive(self, target: RequestTarget, body: Body, credentials: Credentials) -> Response:
        if body.length is not None:
            return self._stream(target, body, credentials)
        peeked = PeekedBody(body, LARGEST_BODY)
        if not peeked.is_whole:
            return self._stream(target, peeked, credentials)
        # The body is small, which a chunked body shows only at its end: the registry takes it without us.
        extra_headers = {"Content-Range": target.content_range} if target.content_range else {}
        return self._registry.send(target.method, target.text, credentials, peeked.content, extra_headers)

    def _stream(self, target: RequestTarget, body: Body | PeekedBody, credentials: Credentials) -> Response:
        location = target.location
        if target.method == "POST":
            opened = self._request("POST", target.opening_target, credentials)
            if opened.status != 202:
                return opened
            location = opened.headers["Location"]
        stream = StreamedUpload(self._registry, target.repository, location, credentials)
        if refused := check_range(target, body.length, location, stream.offset):
            return refused
        if stream.is_superseded and not target.content_range:
            return range_error(stream.location, stream.offset)
        stream.check_room(body.length)
        line = self._board.line(f"upload {location.rpartition('/')[2].partition('.')[0][-8:]}")
        try:
            progress = self._feed(stream, body, line)
        finally:
            line.end(None)
        if target.method == "PATCH":
            return chunk_accepted(progress.location, progress.offset, progress.upload)
        return self._request("PUT", closing_target(progress.location, target.digest), stream.credentials)

    def _request(self, method: str, target: str, credentials: Credentials) -> Response:
        return Backoff(self._patience_s).run(lambda: self._registry.send(method, target, credentials))

    def _feed(self, stream: StreamedUpload, body: Body | PeekedBody, line: ProgressLine) -> UploadProgress:
        """Fills one part while the one before it is sent."""
        line.start_step("passing on", body.length)
        cutter, sender = PartCutter(stream.offset), PartSender(stream)
        client_left: ClientLeft | None = None
        with sender:
            try:
                while content := body.read(READ_SIZE):
                    line.advance(len(content))
                    for part in cutter.feed(content):
                        sender.put(part)
            except ClientLeft as error:
                # The bytes that were received are stored: the client asks for the offset and continues from there.
                client_left = error
            sender.wait()
            progress = stream.finish(cutter.rest())
        if client_left:
            raise client_left
        return progress


class PartSender:
    """Sends one part at a time in a thread of its own."""

    def __init__(self, stream: StreamedUpload) -> None:
        self._stream, self._pool = stream, ThreadPoolExecutor(1, "part")
        self._sending: Future[None] | None = None

    def __enter__(self) -> None:
        """Does nothing; the thread starts with the first part."""

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def put(self, content: memoryview) -> None:
        """Waits until the previous part is sent, then copies and sends this one. Raises what the previous one raised.

        Only one copy exists at a time because of this order.
        """
        self.wait()
        self._sending = self._pool.submit(self._stream.put, bytes(content))

    def wait(self) -> None:
        """Waits until no part is being sent. Raises what the last part raised."""
        if self._sending:
            self._sending.result()
            self._sending = None

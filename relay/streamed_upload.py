"""Bodies for the installation's own relay, which has its key: hashed as they pass and put into S3 in parts, no disk.

The same that the local stack's gateway does. One part leaves while the next one comes, so that a body holds the memory
of two.
"""

import base64
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from chalicelib.domain import hashing
from chalicelib.domain.errors import BlobUploadInvalid
from chalicelib.domain.uploads import LARGEST_BODY, SMALLEST_PART
from relay.auth import Credentials
from relay.errors import Cut, Refused
from relay.parts import PartCutter
from relay.progress import Board, Line
from relay.protocol import Answer, Target, accepted, closing, misplaced, refusal
from relay.registry import Registry
from relay.retries import Patience
from relay.server import READ, Begun, Body

# How many bodies are on their way at once, each with two parts of 8 MB or more; the others wait unread.
STREAMS = 3
# How many addresses are asked for at once: 256 MB of parts.
GRANT = 32
# They are good for ten minutes; older than this none is begun with, in seconds: a slow part takes minutes itself.
FRESH_S = 180


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a body brought its upload: where to go on, and the bytes the upload has."""

    location: str
    offset: int
    upload: str


class Stream:
    """Takes a body in parts that the caller cuts to `part_size` bytes; not for several threads at once."""

    def __init__(
        self,
        registry: Registry,
        repository: str,
        location: str,
        credentials: Credentials,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry, self._repository, self._clock = registry, repository, clock
        told = registry.grant(location, credentials, 0, GRANT)
        self._hasher = hashing.resume(told["algorithm"], base64.b64decode(told["state"]))
        # The pusher's own token may be too old by the time that a long body ends.
        self.credentials = credentials.prolonged(told)
        self._before: int = told["offset"]
        self._tail = registry.get(told["tail"]) if told["tail"] else b""
        self._stored: list[tuple[int, str, int]] = []
        self._take(told)

    def _take(self, told: dict[str, Any]) -> None:
        self._location = f"/v2/{self._repository}/blobs/uploads/{told['upload']}"
        self._addresses = [(part["number"], part["address"]) for part in told["parts"]]
        self._fresh_until = self._clock() + FRESH_S
        self._tail_key, self._tail_address = told["tail_key"], told["tail_address"]

    @property
    def offset(self) -> int:
        """Bytes that were before, and that were taken in."""
        return self._hasher.count

    def put(self, content: bytes) -> None:
        """Takes in a part that is not the last."""
        self._hasher.update(content)
        whole, self._tail = self._tail + content, b""
        if len(whole) < SMALLEST_PART:
            self._tail = whole
            return
        number, address = self._next_address()
        self._stored.append((number, self._registry.put(address, whole), len(whole)))

    def _next_address(self) -> tuple[int, str]:
        if not self._addresses or self._clock() > self._fresh_until:
            first = self._addresses[0][0] if self._addresses else self._stored[-1][0] + 1
            self._take(self._registry.grant(self._location, self.credentials, first, GRANT))
        number, address = self._addresses.pop(0)
        return number, address

    def finish(self, content: bytes) -> Reached:
        """Takes in the last bytes, and reports; what is too little for a part waits in S3 for more."""
        if content:
            self.put(content)
        if self._tail:
            # The addresses may have grown old while a slow body came: these are new.
            first = self._stored[-1][0] + 1 if self._stored else 1
            self._take(self._registry.grant(self._location, self.credentials, first, 1))
            self._registry.put(self._tail_address, self._tail)
        report = {
            "before": self._before,
            "after": self.offset,
            "state": base64.b64encode(self._hasher.state()).decode("ascii"),
            "parts": self._stored,
            "tail": [self._tail_key, len(self._tail)] if self._tail else None,
        }
        told = self._registry.stored(self._location, self.credentials, report)
        return Reached(told["location"], told["offset"], told["upload"])


class Streaming:
    """Takes bodies of any size and hands them on as they come."""

    def __init__(self, registry: Registry, board: Board, patience_s: float) -> None:
        self._registry, self._board, self._patience_s = registry, board, patience_s
        self._places = threading.BoundedSemaphore(STREAMS)

    def takes(self, target: Target, length: int | None) -> bool:
        """Whether a body goes this way: the registry takes what is small by itself."""
        return target.brings_bytes and (length is None or length > LARGEST_BODY)

    def take(self, target: Target, body: Body, credentials: Credentials) -> Answer:
        """Takes a body in and answers for the registry. Raises Cut, requests.RequestException."""
        try:
            with self._places:
                return self._take(target, body, credentials)
        except Refused as refused:
            return Answer(refused.status, refused.headers, refused.body)
        except BlobUploadInvalid as error:
            return refusal(400, "BLOB_UPLOAD_INVALID", str(error))

    def status(self, _target: Target, answer: Answer) -> Answer:
        """The registry knows how far an upload is."""
        return answer

    def cancel(self, _target: Target) -> None:
        """Nothing of an upload stays here."""

    def _take(self, target: Target, body: Body, credentials: Credentials) -> Answer:
        if body.length is not None:
            return self._stream(target, body, credentials)
        begun = Begun(body, LARGEST_BODY)
        if not begun.is_whole:
            return self._stream(target, begun, credentials)
        # Small after all, which in chunks shows only at the end: the registry takes it by itself.
        more = {"Content-Range": target.content_range} if target.content_range else {}
        return self._registry.send(target.method, target.text, credentials, begun.whole, more)

    def _stream(self, target: Target, body: Body | Begun, credentials: Credentials) -> Answer:
        location = target.location
        if target.method == "POST":
            begun = self._ask("POST", target.beginning, credentials)
            if begun.status != 202:
                return begun
            location = begun.headers["Location"]
        stream = Stream(self._registry, target.repository, location, credentials)
        if refused := misplaced(target, body.length, location, stream.offset):
            return refused
        line = self._board.line(f"upload {location.rpartition('/')[2].partition('.')[0][-8:]}")
        try:
            reached = self._feed(stream, body, line)
        finally:
            line.end(None)
        if target.method == "PATCH":
            return accepted(reached.location, reached.offset, reached.upload)
        return self._ask("PUT", closing(reached.location, target.digest), stream.credentials)

    def _ask(self, method: str, target: str, credentials: Credentials) -> Answer:
        return Patience(self._patience_s).over(lambda: self._registry.send(method, target, credentials))

    def _feed(self, stream: Stream, body: Body | Begun, line: Line) -> Reached:
        """Fills one part while the one before it is sent."""
        line.stretch("passing on", body.length)
        cutter, leaving = PartCutter(stream.offset), Leaving(stream)
        gone: Cut | None = None
        with leaving:
            try:
                while content := body.read(READ):
                    line.advance(len(content))
                    for part in cutter.feed(content):
                        leaving.put(part)
            except Cut as cut:
                # The bytes that came are stored: the client asks for the offset and goes on from there.
                gone = cut
            leaving.wait()
            reached = stream.finish(cutter.rest())
        if gone:
            raise gone
        return reached


class Leaving:
    """A thread in which one part at a time leaves."""

    def __init__(self, stream: Stream) -> None:
        self._stream, self._pool = stream, ThreadPoolExecutor(1, "part")
        self._last: Future[None] | None = None

    def __enter__(self) -> None:
        """Begins."""

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def put(self, content: memoryview) -> None:
        """Sends a copy of a part after the one before it, so that there is one copy. Raises what that one raised."""
        self.wait()
        self._last = self._pool.submit(self._stream.put, bytes(content))

    def wait(self) -> None:
        """Until nothing is leaving. Raises what the last part raised."""
        if self._last:
            self._last.result()
            self._last = None

"""Bodies for the installation's own relay, which has its key: hashed as they pass and put into S3 in parts, no disk.

The same that the local stack's gateway does. One part leaves while the next one comes, so that a body holds the memory
of two.
"""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

from chalicelib.domain.errors import BlobUploadInvalid
from chalicelib.domain.uploads import LARGEST_BODY
from relay.answers import accepted, misplaced, refusal
from relay.credentials import Credentials
from relay.errors import Cut
from relay.patience import Patience
from relay.progress import Board, Line
from relay.registry import Answer, Refused, Registry
from relay.stream import Reached, Stream
from relay.target import Target, closing
from relay.wire import READ, Begun, Body

# How many bodies are on their way at once, each with two parts of 8 MB or more; the others wait unread.
STREAMS = 3


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
        """Fills one part while the one before is on its way."""
        line.stretch("passing on", body.length)
        buffer, filled, leaving = bytearray(stream.part_size), 0, Leaving(stream)
        gone: Cut | None = None
        with leaving:
            try:
                while content := body.read(min(READ, len(buffer) - filled)):
                    buffer[filled : filled + len(content)] = content
                    filled += len(content)
                    line.advance(len(content))
                    if filled == len(buffer):
                        leaving.put(buffer)
                        filled = 0
                        if stream.part_size > len(buffer):
                            buffer = bytearray(stream.part_size)
            except Cut as cut:
                # What has come stays: the client asks how far the upload is, and goes on from there.
                gone = cut
            leaving.wait()
            reached = stream.finish(bytes(memoryview(buffer)[:filled]))
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

    def put(self, content: bytearray) -> None:
        """Sends a copy of a part after the one before it, so that there is one copy. Raises what that one raised."""
        self.wait()
        self._last = self._pool.submit(self._stream.put, bytes(content))

    def wait(self) -> None:
        """Until nothing is leaving. Raises what the last part raised."""
        if self._last:
            self._last.result()
            self._last = None

"""HTTP/1.1 as far as a relay reads and writes it itself (RFC 9112): bodies as they come, answers in one write."""

import re
from collections.abc import Iterable
from email.message import Message
from http import HTTPStatus
from io import BufferedIOBase

from relay.errors import BadRequest, Cut

LONGEST_LINE = 4096
READ = 256 * 1024
CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;.*)?\r?\n")
Headers = Iterable[tuple[str, str]]


def body_length(headers: Message) -> int | None:
    """Bytes of a request's body, None for one in chunks (RFC 9112 section 6.3). Raises BadRequest.

    Whoever stands before or behind us must see the same end, so what two readers may read in two ways is refused.
    """
    if headers.defects:
        raise BadRequest("the headers cannot be read")
    lengths, codings = headers.get_all("Content-Length", []), headers.get_all("Transfer-Encoding", [])
    if codings:
        if lengths or [coding.strip().lower() for coding in codings] != ["chunked"]:
            raise BadRequest("say either Content-Length or Transfer-Encoding: chunked")
        return None
    if not lengths:
        return 0
    if len(set(lengths)) != 1 or not re.fullmatch(r"[0-9]{1,18}", lengths[0].strip()):
        raise BadRequest("Content-Length has to be one number")
    return int(lengths[0])


class Body:
    """A request's body as it comes. `length` is in bytes, None while it comes in chunks."""

    def __init__(self, file: BufferedIOBase, length: int | None) -> None:
        self._file, self.length = file, length
        self._left = length or 0
        self.is_done = length == 0

    def read(self, size: int) -> bytes:
        """At most `size` bytes, none at the end. Raises Cut, but only after what had come."""
        if self.is_done:
            return b""
        try:
            if self.length is None and self._left == 0 and not self._next_chunk():
                return b""
            content = self._file.read(min(size, self._left))
        except (OSError, ValueError) as error:
            raise Cut(f"the client left: {error}") from error
        if not content:
            raise Cut("the client left before its body was whole")
        self._left -= len(content)
        if self._left == 0:
            self._end_of_piece()
        return content

    def _next_chunk(self) -> bool:
        """Reads a chunk's size; False after the last, whose trailers are read and dropped."""
        match = CHUNK_SIZE.fullmatch(self._line())
        if not match:
            raise BadRequest("the chunks of the body cannot be read")
        self._left = int(match[1], 16)
        if self._left == 0:
            while self._line().strip():
                pass
            self.is_done = True
        return not self.is_done

    def _line(self) -> bytes:
        line = self._file.readline(LONGEST_LINE)
        if len(line) == LONGEST_LINE:
            raise BadRequest("a line within the body is too long")
        if not line.endswith(b"\n"):
            raise Cut("the client left before its body was whole")
        return line

    def _end_of_piece(self) -> None:
        if self.length is not None:
            self.is_done = True
        elif self._line().strip():
            raise BadRequest("the chunks of the body cannot be read")


class Begun:
    """A body of which the first bytes have been read already: up to `size`, to see whether it ends before."""

    def __init__(self, body: Body, size: int) -> None:
        """Raises Cut."""
        self._rest, self.length = body, body.length
        self._begun, self._given = bytearray(), 0
        while len(self._begun) <= size and (content := body.read(min(READ, size + 1 - len(self._begun)))):
            self._begun += content
        self.is_whole = len(self._begun) <= size

    @property
    def whole(self) -> bytes:
        """All of it, where it ended."""
        return bytes(self._begun)

    def read(self, size: int) -> bytes:
        """At most `size` bytes, none at the end. Raises Cut."""
        if not self._begun:
            return self._rest.read(size)
        content = bytes(memoryview(self._begun)[self._given : self._given + size])
        self._given += len(content)
        if self._given == len(self._begun):
            self._begun = bytearray()
        return content


def head_of(status: int, headers: Headers) -> bytes:
    """Status line and headers."""
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace")

"""The relay's HTTP server: it has one thread for each connection and reads bodies as they arrive (RFC 9112).

It is based on the standard library's server, because all work here is blocking: files, requests and hashes. That server
needs no package, holds 64 KB for a connection, and reads a body only on demand, which makes the client wait.
"""

import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Any

from chalicelib.domain.browsers import missing_protections
from relay.errors import BadRequest, ClientLeft
from relay.protocol import Response, error_response

# A connection on which nothing arrives for so many seconds is closed: between requests, and within a body, which may
# hold a place that others wait for.
IDLE_S, BODY_IDLE_S = 300, 60
# How many seconds the rest of a refused body is read for, so that the client gets the response.
LINGER_S = 10
TLS_HANDSHAKE = b"\x16"
NO_TLS_RESPONSE = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
MAX_LINE = 4096
READ_SIZE = 256 * 1024
CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;.*)?\r?\n")
Headers = Iterable[tuple[str, str]]


def body_length(headers: Message) -> int | None:
    """Returns the size of a request body in bytes, None if it is chunked (RFC 9112 section 6.3). Raises BadRequest.

    Servers before and behind the relay must find the same end, so a request that can be read in two ways is refused.
    """
    if headers.defects:
        raise BadRequest("the headers cannot be read")
    lengths, codings = headers.get_all("Content-Length", []), headers.get_all("Transfer-Encoding", [])
    if codings:
        if lengths or [coding.strip().lower() for coding in codings] != ["chunked"]:
            raise BadRequest("send either Content-Length or Transfer-Encoding: chunked")
        return None
    if not lengths:
        return 0
    if len(set(lengths)) != 1 or not re.fullmatch(r"[0-9]{1,18}", lengths[0].strip()):
        raise BadRequest("Content-Length has to be one number")
    return int(lengths[0])


class Body:
    """A request body that is read as it arrives. `length` is in bytes, None if the body is chunked."""

    def __init__(self, file: BufferedIOBase, length: int | None) -> None:
        self._file, self.length = file, length
        self._remaining = length or 0
        self.is_done = length == 0

    def read(self, size: int) -> bytes:
        """Returns at most `size` bytes, none at the end. Raises ClientLeft after it returned all that arrived."""
        if self.is_done:
            return b""
        try:
            if self.length is None and self._remaining == 0 and not self._next_chunk():
                return b""
            content = self._file.read(min(size, self._remaining))
        except (OSError, ValueError) as error:
            raise ClientLeft(f"the client disconnected: {error}") from error
        if not content:
            raise ClientLeft("the client disconnected before its body was complete")
        self._remaining -= len(content)
        if self._remaining == 0:
            self._end_chunk()
        return content

    def _next_chunk(self) -> bool:
        """Reads the size of a chunk; returns False after the last one, whose trailers are dropped."""
        match = CHUNK_SIZE.fullmatch(self._line())
        if not match:
            raise BadRequest("the chunks of the body cannot be read")
        self._remaining = int(match[1], 16)
        if self._remaining == 0:
            while self._line().strip():
                pass
            self.is_done = True
        return not self.is_done

    def _line(self) -> bytes:
        line = self._file.readline(MAX_LINE)
        if len(line) == MAX_LINE:
            raise BadRequest("a line within the body is too long")
        if not line.endswith(b"\n"):
            raise ClientLeft("the client disconnected before its body was complete")
        return line

    def _end_chunk(self) -> None:
        if self.length is not None:
            self.is_done = True
        elif self._line().strip():
            raise BadRequest("the chunks of the body cannot be read")


class PeekedBody:
    """A body whose first `size` bytes have already been read, which shows whether it ends within them."""

    def __init__(self, body: Body, size: int) -> None:
        """Raises ClientLeft."""
        self._rest, self.length = body, body.length
        self._peeked, self._position = bytearray(), 0
        while len(self._peeked) <= size and (content := body.read(min(READ_SIZE, size + 1 - len(self._peeked)))):
            self._peeked += content
        self.is_whole = len(self._peeked) <= size

    @property
    def content(self) -> bytes:
        """The whole body, if `is_whole`."""
        return bytes(self._peeked)

    def read(self, size: int) -> bytes:
        """Returns at most `size` bytes, none at the end. Raises ClientLeft."""
        if not self._peeked:
            return self._rest.read(size)
        content = bytes(memoryview(self._peeked)[self._position : self._position + size])
        self._position += len(content)
        if self._position == len(self._peeked):
            self._peeked = bytearray()
        return content


def response_head(status: int, headers: Headers) -> bytes:
    """Returns the status line and the headers."""
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace")


class ConnectionHandler(BaseHTTPRequestHandler):
    """Handles the requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rbufsize = 64 * 1024
    timeout = IDLE_S
    server: "RelayServer"

    def handle_one_request(self) -> None:
        """Responds to a TLS handshake as servers in Go do, so that clients go on without TLS.

        Every other request is handled by the base class.
        """
        try:
            if self.rfile.peek(1)[:1] == TLS_HANDSHAKE:  # type: ignore[attr-defined]  # rfile is a BufferedReader
                self.connection.sendall(NO_TLS_RESPONSE)
                self.close_connection = True
                return
        except OSError:
            self.close_connection = True
            return
        super().handle_one_request()

    def process(self) -> None:
        """Responds to one request."""
        try:
            body = Body(self.rfile, body_length(self.headers))
            self.connection.settimeout(BODY_IDLE_S)
            with self.server.busy():
                self.server.handle(self, body)
        except BadRequest as error:
            self.close_connection = True
            self.respond(error_response(400, "UNSUPPORTED", str(error)), None)
        except (ClientLeft, BrokenPipeError, ConnectionResetError, TimeoutError):
            self.close_connection = True
        finally:
            self.connection.settimeout(IDLE_S)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = process  # noqa: N815  (names of the base class)

    def respond(self, response: Response, body: Body | None) -> None:
        """Sends a whole response in one write, and closes the connection if the request body was not fully read."""
        headers = [(name, value) for name, value in response.headers.items() if name.lower() != "content-length"]
        if response.status != 204:
            headers.append(("Content-Length", str(len(response.body))))
        self.start_response(response.status, headers, body, b"" if self.command == "HEAD" else response.body)
        self.finish_response(body)

    def start_response(
        self, status: int, headers: list[tuple[str, str]], body: Body | None, content: bytes = b""
    ) -> None:
        """Sends the status, the headers and the first bytes of the response; `body` is the request's."""
        if body and not body.is_done:
            self.close_connection = True
        if self.close_connection:
            headers = [*headers, ("Connection", "close")]
        headers = [*headers, *missing_protections(name for name, _ in headers).items()]
        self.wfile.write(response_head(status, headers) + content)

    def finish_response(self, body: Body | None) -> None:
        """Reads the rest of the request body for a while: closing at once could discard the response."""
        if body is None or body.is_done:
            return
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(LINGER_S)
            deadline = time.monotonic() + LINGER_S
            while time.monotonic() < deadline and self.rfile.read1(65536):
                pass

    def log_message(self, *_: Any) -> None:
        """Does nothing: the progress board shows what matters."""


class RelayServer(ThreadingHTTPServer):
    """Listens, and counts the requests in progress."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self, listen: tuple[str, int], handle: Callable[[ConnectionHandler, Body], None], log: Callable[[str], None]
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in listen[0] else socket.AF_INET
        super().__init__(listen, ConnectionHandler)
        self.handle, self._log = handle, log
        self._busy, self._changed = 0, threading.Condition()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Counts a request as in progress."""
        with self._changed:
            self._busy += 1
        try:
            yield
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def wait_until_idle(self, seconds: float) -> bool:
        """Waits for all requests to finish; returns whether they did so within `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._busy, seconds)

    def handle_error(self, _request: Any, client_address: Any) -> None:
        """Logs an unexpected error in one line; the connection is closed."""
        error = sys.exc_info()[1]
        self._log(f"relay: internal error with client {client_address}: {type(error).__name__}: {error}")

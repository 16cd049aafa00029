"""The relay's own HTTP server: one thread for each connection, bodies read as they come (RFC 9112).

The standard library's, because the work is blocking all the way: files, requests and hashes. It needs no package, reads
bodies only when asked to, which is what makes a waiting client wait, and holds 64 KB for a connection.
"""

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from relay.answers import refusal
from relay.errors import BadRequest, Cut
from relay.registry import Answer
from relay.wire import Body, body_length, head_of

# A client that neither sends nor asks for this long is gone, in seconds.
IDLE_S = 300
# How long the rest of a refused body is read, so that the client gets to read the answer, in seconds.
LINGER_S = 10
TLS_HANDSHAKE = b"\x16"
PLAIN_TEXT = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rbufsize = 64 * 1024
    timeout = IDLE_S
    server: "Server"

    def handle_one_request(self) -> None:
        """Like its parent's, but for clients that try TLS first: what Go's servers answer makes them go on without."""
        try:
            if self.rfile.peek(1)[:1] == TLS_HANDSHAKE:  # type: ignore[attr-defined]  # a BufferedReader it is
                self.connection.sendall(PLAIN_TEXT)
                self.close_connection = True
                return
        except OSError:
            self.close_connection = True
            return
        super().handle_one_request()

    def serve(self) -> None:
        """Answers one request."""
        try:
            body = Body(self.rfile, body_length(self.headers))
            with self.server.busy():
                self.server.work(self, body)
        except BadRequest as error:
            self.close_connection = True
            self.answer(refusal(400, "UNSUPPORTED", str(error)), None)
        except (Cut, BrokenPipeError, ConnectionResetError, TimeoutError):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = serve  # noqa: N815  (its parent's names)

    def answer(self, answer: Answer, body: Body | None) -> None:
        """Sends a whole answer, in one write. What is left of the request's body ends the connection."""
        headers = [(name, value) for name, value in answer.headers.items() if name.lower() != "content-length"]
        if answer.status != 204:
            headers.append(("Content-Length", str(len(answer.body))))
        self.begin(answer.status, headers, body, b"" if self.command == "HEAD" else answer.body)
        self.end(body)

    def begin(self, status: int, headers: list[tuple[str, str]], body: Body | None, content: bytes = b"") -> None:
        """Sends status, headers and the first of an answer's body; `body` is the request's."""
        if body and not body.is_done:
            self.close_connection = True
        if self.close_connection:
            headers = [*headers, ("Connection", "close")]
        self.wfile.write(head_of(status, headers) + content)

    def end(self, body: Body | None) -> None:
        """Reads on where the request's body did not end: a connection closed at once takes the answer with it."""
        if body is None or body.is_done:
            return
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(LINGER_S)
            until = time.monotonic() + LINGER_S
            while time.monotonic() < until and self.rfile.read1(65536):
                pass

    def log_message(self, *_: Any) -> None:
        """Its board tells what there is to tell."""


class Server(ThreadingHTTPServer):
    """Listens, and knows how many requests it is working on."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self, listen: tuple[str, int], work: Callable[[Handler, Body], None], tell: Callable[[str], None]
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in listen[0] else socket.AF_INET
        super().__init__(listen, Handler)
        self.work, self._tell = work, tell
        self._busy, self._changed = 0, threading.Condition()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """While a request is worked on."""
        with self._changed:
            self._busy += 1
        try:
            yield
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def wait_until_idle(self, seconds: float) -> bool:
        """Whether all requests came to an end in that time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._busy, seconds)

    def handle_error(self, _request: Any, client_address: Any) -> None:
        """A bug: told in one line, and the connection ends."""
        error = sys.exc_info()[1]
        self._tell(f"relay: a bug, with {client_address}: {type(error).__name__}: {error}")

"""A server in front of a real registry that passes everything on with one fault, as AWS might."""

import http.client
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

Pairs = list[tuple[str, str]]
# Headers that the server writes itself.
FRAMING = {"content-length", "transfer-encoding", "connection", "date", "server", "host"}


class Reset(Exception):
    """The server resets the connection without an answer."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Pairs
    body: bytes

    def header(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key.lower() == name.lower())

    def is_put(self, what: str, above: int = -1) -> bool:
        return self.method == "PUT" and f"/{what}/" in self.path and len(self.body) > above


@dataclass(frozen=True)
class Response:
    status: int
    headers: Pairs = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    def without(self, *names: str) -> "Response":
        lowered = {name.lower() for name in names}
        return replace(self, headers=[pair for pair in self.headers if pair[0].lower() not in lowered])

    def with_header(self, name: str, value: str) -> "Response":
        return replace(self, headers=[*self.without(name).headers, (name, value)])


PassOn = Callable[[Request], Response]
Fault = Callable[[Request, PassOn], Response]


def no_fault(request: Request, pass_on: PassOn) -> Response:
    return pass_on(request)


class Front(ThreadingHTTPServer):
    """The server. `seen` has every request, in order."""

    daemon_threads = True

    def __init__(self, upstream: str, fault: Fault) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream, self.fault = upstream, fault
        self.seen: list[Request] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def pass_on(self, request: Request) -> Response:
        parts = urlsplit(self.upstream)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        try:
            connection.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
            kept = [pair for pair in request.headers if pair[0].lower() not in FRAMING]
            length = [("Content-Length", str(len(request.body)))] if request.method in ("PUT", "POST", "PATCH") else []
            for name, value in [("Host", parts.netloc), *kept, *length]:
                connection.putheader(name, value)
            connection.endheaders()
            # A registry that refuses a body may close the connection before it has arrived.
            with suppress(ConnectionError):
                for start in range(0, len(request.body), 65536):
                    connection.send(request.body[start : start + 65536])
            answer = connection.getresponse()
            # The registry's own address would bypass this server; `service` stays, since the tokens contain it.
            headers = [(name, value.replace(self.upstream, self.url)) for name, value in answer.getheaders()]
            return Response(answer.status, headers, answer.read())
        finally:
            connection.close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Front

    def do_any(self) -> None:
        request = Request(self.command, self.path, list(self.headers.items()), self.read_body())
        self.server.seen.append(request)
        self.close_connection = True
        try:
            self.answer(self.server.fault(request, self.server.pass_on))
        except Reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_any  # noqa: N815  (its parent's names)

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, response: Response) -> None:
        self.send_response(response.status)
        length = response.header("Content-Length") if self.command == "HEAD" else str(len(response.body))
        for name, value in response.headers:
            if name.lower() not in FRAMING:
                self.send_header(name, value)
        if length:
            self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


@contextmanager
def front(upstream: str, fault: Fault) -> Iterator[Front]:
    """Runs the server until the end of the block."""
    server = Front(upstream, fault)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""HTTP/1.1 with exactly the given header lines, target and framing.

`requests` would clean up `..` and `%2F`, add headers of its own and choose the framing itself; real clients differ in
just these things.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 60
Headers = Sequence[tuple[str, str]]
Body = bytes | Iterable[bytes] | None


@dataclass(frozen=True)
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def header(self, name: str) -> str:
        """Returns the header's value; a failure names a missing header."""
        value = self.headers.get(name)
        assert value is not None, f"{name} is missing in {self.status} {self.headers.items()}"
        return value


class Wire:
    """A kept-alive connection to `url`."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host = parts.netloc
        self.connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=TIMEOUT_S)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: Any) -> None:
        self.connection.close()

    def exchange(self, method: str, target: str, headers: Headers, body: Body = None) -> Reply:
        """Sends the request unchanged and reads the answer.

        Framing follows the headers: with `Transfer-Encoding: chunked` each piece of the body is one chunk.
        """
        self.connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            self.connection.putheader(name, value)
        # A server may refuse a body before it has read it; its answer has then arrived already.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.connection.endheaders()
            self.send_body(headers, body)
        reply = self.connection.getresponse()
        return Reply(reply.status, reply.headers, reply.read())

    def send_body(self, headers: Headers, body: Body) -> None:
        chunked = ("Transfer-Encoding", "chunked") in headers
        for piece in [body] if isinstance(body, bytes) else body or ():
            if chunked and piece:
                self.connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            elif piece:
                self.connection.send(piece)
        if chunked:
            self.connection.send(b"0\r\n\r\n")


def connect(url: str) -> socket.socket:
    """Returns a socket to the registry, for requests that no library sends."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname or "", parts.port or 80), timeout=TIMEOUT_S)


def raw(url: str, request: bytes) -> Reply:
    """Sends these bytes and reads one answer."""
    with connect(url) as connection:
        connection.sendall(request)
        reply = http.client.HTTPResponse(connection)
        reply.begin()
        return Reply(reply.status, reply.headers, reply.read())

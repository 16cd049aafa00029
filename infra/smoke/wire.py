"""Sends HTTP/1.1 with exactly the given header lines, path and framing, and records how the answer came.

Every library would change what the checks look at: repeated headers, escapes, framing, connections closed early.
"""

import http.client
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

# The connection is given up after this many seconds without a byte; no gateway takes longer.
TIMEOUT_S = 90
PIECE = 64 * 1024
LARGEST_ANSWER = 16 * 1024 * 1024
AGENT = "cloudberth-smoke"
Headers = Sequence[tuple[str, str]]
CONNECTIONS: dict[str, Callable[..., http.client.HTTPConnection]] = {
    "http": http.client.HTTPConnection,
    "https": http.client.HTTPSConnection,
}


class NoAnswer(Exception):
    """The connection failed or ended without an answer; the message says how."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. `seconds` are from connecting to the last byte; `sent` are the bytes of the body that were sent."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    seconds: float
    sent: int

    def header(self, name: str) -> str:
        """Returns a header's value, with several lines joined, or an empty string if it is missing."""
        return ", ".join(self.headers.get_all(name, []))


def exchange(
    method: str, url: str, headers: Headers = (), body: bytes | Iterable[bytes] = b"", length: int | None = None
) -> Answer:
    """Sends one request on a new connection and returns the answer; follows no redirect. Raises NoAnswer.

    An iterable body is sent piece by piece: with Content-Length if `length` is given, else chunked.
    """
    parts = urlsplit(url)
    if parts.scheme not in CONNECTIONS or not parts.hostname:
        raise NoAnswer(f"{url[:80]!r} is no address of HTTP")
    connection = CONNECTIONS[parts.scheme](parts.hostname, parts.port, timeout=TIMEOUT_S)
    target = url[len(f"{parts.scheme}://{parts.netloc}") :] or "/"
    framing, pieces, is_chunked = _framed(method, body, length)
    begun = time.monotonic()
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in [("User-Agent", AGENT), *framing, *headers]:
            connection.putheader(name, value)
        connection.endheaders()
        sent = _send(connection, pieces, is_chunked=is_chunked)
        answer = connection.getresponse()
        content = answer.read(LARGEST_ANSWER)
        return Answer(answer.status, answer.headers, content, time.monotonic() - begun, sent)
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(f"{method} {parts.netloc}{target.partition('?')[0][:60]}: {_words(error)}") from error
    finally:
        connection.close()


def _framed(method: str, body: bytes | Iterable[bytes], length: int | None) -> tuple[Headers, Iterable[bytes], bool]:
    if isinstance(body, bytes):
        has_body = body or method in ("POST", "PUT", "PATCH")
        pieces = [body[start : start + PIECE] for start in range(0, len(body), PIECE)]
        return [("Content-Length", str(len(body)))] if has_body else [], pieces, False
    if length is None:
        return [("Transfer-Encoding", "chunked")], body, True
    return [("Content-Length", str(length))], body, False


def _send(connection: http.client.HTTPConnection, pieces: Iterable[bytes], *, is_chunked: bool) -> int:
    """Sends a body and returns the bytes sent before the server closed; its answer may be here already."""
    sent = 0
    try:
        for piece in pieces:
            connection.send(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
            sent += len(piece)
        if is_chunked:
            connection.send(b"0\r\n\r\n")
    except (ConnectionError, ssl.SSLError):
        pass  # Reading the answer shows whether it was lost.
    return sent


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"nothing came for {TIMEOUT_S} s"
    return f"{type(error).__name__} {error}".strip()

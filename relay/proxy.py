"""`relay serve`: a proxy to the registry that takes uploads of any size itself and forwards all other requests.

It runs on a user's machine, or in front of the whole installation.
"""

import os
import re
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from chalicelib.domain.uploads import LARGEST_BODY
from relay.auth import TIMEOUT_S, Credentials
from relay.buffered_upload import BufferedUploads
from relay.errors import ClientLeft, RelayError
from relay.progress import ProgressBoard
from relay.protocol import JSON, RequestTarget, Response, error_response
from relay.registry import Registry
from relay.retries import Backoff
from relay.server import Body, ConnectionHandler, PeekedBody, RelayServer
from relay.spool import Spool, sweep_forever
from relay.streamed_upload import StreamedUploads

# A load balancer asks here whether the process is alive; the registry has no such path.
HEALTH = "/relay/health"
BLOCK = 256 * 1024
# The largest body in bytes that does not count as large, and the number of large ones kept in memory at once.
SMALL_BODY_BYTES, LARGE_BODIES_AT_ONCE = 64 * 1024, 3
# Headers that concern only one connection (RFC 9110 section 7.6.1).
HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer")
) | {"transfer-encoding", "upgrade"}
# Response headers that contain the registry's address. The Location of a redirect is kept: it may lead to S3.
ADDRESS_HEADERS = frozenset(("www-authenticate", "registry-challenge", "link", "location"))
# Headers that describe the registry's connection and would be wrong for the relay's.
TLS_HEADERS = frozenset(("strict-transport-security", "alt-svc"))
# How long a forwarded request is retried while the registry does not respond, in seconds; clients give up too.
FORWARD_PATIENCE_S = 60.0
# How long requests may still take after a signal to stop, in seconds; Fargate kills the process after 30.
SHUTDOWN_S = 25.0


def request_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Returns the headers of a request for the registry: repeated ones joined, and without those of the connection."""
    joined: dict[str, str] = {}
    dropped = _dropped(headers) | {"host", "content-length", "expect"}
    for name, value in headers:
        if name.lower() not in dropped:
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def response_headers(
    headers: Iterable[tuple[str, str]], status: int, registry: str, own_url: str
) -> list[tuple[str, str]]:
    """Returns the headers of a response for the client, with the relay's address in place of the registry's.

    `own_url` is the address by which the client knows the relay; if it is empty, no address is replaced.
    """
    headers = list(headers)
    dropped = _dropped(headers) | TLS_HEADERS
    is_redirect = 300 <= status < 400
    kept = []
    for name, value in headers:
        lower = name.lower()
        if lower in dropped:
            continue
        names_registry = own_url and lower in ADDRESS_HEADERS and not (is_redirect and lower == "location")
        kept.append((name, replace_origin(value, registry, own_url) if names_registry else value))
    return kept


def replace_origin(value: str, registry: str, own_url: str) -> str:
    """Replaces the registry's scheme and host in a header value, where they are not part of a longer host name."""
    return re.sub(rf"{re.escape(origin(registry))}(?::{_port(registry)})?(?=[/\"?#>]|$)", lambda _: own_url, value)


def origin(url: str) -> str:
    """Returns scheme and host of a URL, and its port unless that is the scheme's default."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    standard = {"https": 443, "http": 80}.get(parts.scheme)
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port not in (None, standard) else "")


def _port(url: str) -> str:
    return {"https": "443", "http": "80"}.get(urlsplit(url).scheme, "")


def _dropped(headers: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Returns the names of hop-by-hop headers, and of those that Connection lists."""
    named = [value for name, value in headers if name.lower() == "connection"]
    return HOP_BY_HOP | {word.strip().lower() for value in named for word in value.split(",")}


@dataclass(frozen=True)
class ForwardedRequest:
    """A client's request as it is sent to the registry."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | PeekedBody | None


def forward(session: requests.Session, request: ForwardedRequest, patience_s: float) -> requests.Response:
    """Forwards a request with its path and query unchanged, and returns the response before its body is read.

    A body that is read while it is sent needs its Content-Length among the headers, or is sent in chunks. If the
    registry does not respond, the request is retried, unless it has such a body. Raises requests.RequestException.
    """
    body = request.body
    prepared = requests.Request(request.method, request.url, headers=dict(request.headers)).prepare()
    # requests would normalise percent-encoding.
    prepared.url = request.url
    if isinstance(body, bytes):
        prepared.body, prepared.headers["Content-Length"] = body, str(len(body))
    elif body is not None:
        prepared.body = body  # type: ignore[assignment]  # requests accepts any readable object, its types do not say so
        if "Content-Length" not in request.headers:
            prepared.headers.pop("Content-Length", None)

    def attempt() -> requests.Response:
        settings = session.merge_environment_settings(request.url, {}, True, None, None)
        return session.send(prepared, allow_redirects=False, timeout=TIMEOUT_S, **settings)

    can_repeat = body is None or isinstance(body, bytes)
    return Backoff(patience_s if can_repeat else 0).run(attempt)


class Proxy:
    """Handles the requests of one relay. `has_own_address` says that its address differs from the registry's."""

    def __init__(
        self,
        registry: Registry,
        uploads: BufferedUploads | StreamedUploads,
        patience_s: float,
        *,
        has_own_address: bool,
    ) -> None:
        self._registry, self._uploads, self._patience_s = registry, uploads, patience_s
        self._has_own_address = has_own_address
        self._large_bodies = threading.BoundedSemaphore(LARGE_BODIES_AT_ONCE)

    def handle(self, client: ConnectionHandler, body: Body) -> None:
        """Responds to one request. Raises ClientLeft."""
        if client.path == HEALTH:
            return client.respond(Response(200, {"Content-Type": JSON}, b'{"status":"ok"}'), body)
        target = RequestTarget.of(client.command, client.path, client.headers.get("Content-Range", ""))
        try:
            if not self._uploads.accepts(target, body.length):
                return self._forward(client, target, body)
            response = self._uploads.receive(target, body, Credentials.from_request(client.headers))
        except ClientLeft:
            raise
        except requests.RequestException as error:
            response = self._unreachable(error)
        except RelayError as error:
            response = error_response(503, "UNAVAILABLE", str(error))
        return self._respond(client, response, body)

    def _respond(self, client: ConnectionHandler, response: Response, body: Body) -> None:
        headers = response_headers(response.headers.items(), response.status, self._registry.url, self._own_url(client))
        return client.respond(Response(response.status, dict(headers), response.body), body)

    def _own_url(self, client: ConnectionHandler) -> str:
        host = client.headers.get("Host", "")
        return f"http://{host}" if self._has_own_address and host else ""

    def _unreachable(self, error: requests.RequestException) -> Response:
        reason = f"{self._registry.url} or its bucket does not answer ({type(error).__name__})"
        return error_response(
            503, "UNAVAILABLE", f"{reason}: check the relay's --registry and the network, and try again"
        )

    def _forward(self, client: ConnectionHandler, target: RequestTarget, body: Body) -> None:
        with self._open_body(body) as content:
            headers = request_headers(client.headers.items())
            if body.length and not isinstance(content, bytes):
                headers["Content-Length"] = str(body.length)
            request = ForwardedRequest(client.command, self._registry.url + client.path, headers, content)
            response = forward(self._registry.session, request, self._patience_s)
        with closing(response):
            if target.location and client.command == "GET" and response.status_code == 204:
                status = self._uploads.status(target, Response(204, dict(response.headers), b""))
                return self._respond(client, status, body)
            if target.location and client.command == "DELETE" and response.ok:
                self._uploads.cancel(target)
            return self._stream_response(client, response, body)

    @contextmanager
    def _open_body(self, body: Body) -> Iterator[bytes | PeekedBody | None]:
        """Yields the body of a request: as bytes if it is small, so that it can be sent again, else as a stream."""
        if body.length == 0:
            yield None
            return
        is_small = body.length is not None and body.length <= SMALL_BODY_BYTES
        if not is_small:
            self._large_bodies.acquire()
        try:
            peeked = PeekedBody(body, LARGEST_BODY)
            yield peeked.content if peeked.is_whole else peeked
        finally:
            if not is_small:
                self._large_bodies.release()

    def _stream_response(self, client: ConnectionHandler, response: requests.Response, body: Body) -> None:
        """Sends a response whose body is forwarded as it arrives."""
        status, raw = response.status_code, response.raw
        headers = response_headers(raw.headers.items(), status, self._registry.url, self._own_url(client))
        is_empty = client.command == "HEAD" or status in (204, 304)
        is_chunked = not is_empty and "Content-Length" not in raw.headers
        if is_chunked and client.request_version == "HTTP/1.1":
            headers.append(("Transfer-Encoding", "chunked"))
        elif is_chunked:
            client.close_connection, is_chunked = True, False
        first = True
        try:
            for content in raw.stream(BLOCK, decode_content=False):
                block = b"%x\r\n%s\r\n" % (len(content), content) if is_chunked else content
                if first:
                    client.start_response(status, headers, body, block)
                    first = False
                else:
                    client.wfile.write(block)
        except HTTPError:
            # The registry cut its response: the client notices by the length, or by the missing last chunk.
            client.close_connection = True
            return None if not first else client.respond(self._unreachable(requests.ConnectionError()), body)
        if first:
            client.start_response(status, headers, body, b"0\r\n\r\n" if is_chunked else b"")
        elif is_chunked:
            client.wfile.write(b"0\r\n\r\n")
        return client.finish_response(body)


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """The options of `serve`. `key` is the installation's relay key or empty; `patience_s` is in seconds."""

    registry: str
    listen: tuple[str, int]
    spool: Path
    key: bytes
    patience_s: float


def make_server(settings: ServeSettings, board: ProgressBoard) -> RelayServer:
    """Returns a server that already listens. Raises RelayError."""
    registry = Registry(settings.registry, settings.key)
    forward_patience_s = min(FORWARD_PATIENCE_S, settings.patience_s)
    uploads: BufferedUploads | StreamedUploads
    if settings.key:
        uploads = StreamedUploads(registry, board, forward_patience_s)
    else:
        spool = Spool(settings.spool)
        uploads = BufferedUploads(registry, spool, board, settings.patience_s)
        threading.Thread(target=sweep_forever, args=(spool,), daemon=True).start()
    proxy = Proxy(registry, uploads, forward_patience_s, has_own_address=not settings.key)
    try:
        return RelayServer(settings.listen, proxy.handle, board.log)
    except OSError as error:
        address = "{}:{}".format(*settings.listen)
        raise RelayError(f"{address} cannot be listened on ({error.strerror}): name another by --listen") from None


def serve(settings: ServeSettings, board: ProgressBoard) -> int:
    """Serves until a signal; returns 0, or ends the process with status 1 if requests were still unfinished."""
    server = make_server(settings, board)
    stop = threading.Event()

    def request_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, request_stop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host, port = server.server_address[:2]
    mode = "the installation's key" if settings.key else f"its spool in {settings.spool}"
    board.log(f"relay: {settings.registry} is served on {host!s}:{port}, with {mode}")
    stop.wait()
    server.shutdown()
    server.server_close()
    if server.wait_until_idle(SHUTDOWN_S):
        return 0
    board.log(
        "relay: stopped during uploads; the bytes received so far are kept, and the uploads go on after a restart"
    )
    # Threads that are still sending would keep the process alive until they finish.
    os._exit(1)

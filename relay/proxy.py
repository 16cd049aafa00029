"""Which way each request takes: the body of an upload through the relay, everything else as it is to the registry."""

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
from relay.buffered_upload import Spool, Spooling, sweep_on
from relay.errors import Cut, RelayError
from relay.progress import Board
from relay.protocol import JSON, Answer, Target, refusal
from relay.registry import Registry
from relay.retries import Patience
from relay.server import Begun, Body, Handler, Server
from relay.streamed_upload import Streaming

# Whether this process is alive, for a load balancer; nothing of the registry lies there.
HEALTH = "/relay/health"
BLOCK = 256 * 1024
# Bodies above this size take a place while they are held in memory.
LIGHT_BYTES, HEAVY_PLACES = 64 * 1024, 3
# RFC 9110 section 7.6.1: what concerns one connection only.
HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer")
) | {"transfer-encoding", "upgrade"}
# Where answers name the registry itself. A redirect is for the client alone: it may lead to S3.
NAMES_REGISTRY = frozenset(("www-authenticate", "registry-challenge", "link", "location"))
# Where it would speak for a connection that it is not about.
OF_TLS = frozenset(("strict-transport-security", "alt-svc"))
# How long a request that is passed on waits for a registry that is away, in seconds; clients do not wait for ever.
PASSING_S = 60.0
# How long requests may take to their end once the relay was asked to stop, in seconds: Fargate kills after 30.
STOPPING_S = 25.0


def onward(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The headers of a request as the registry shall see them: one value for each, framed and addressed anew."""
    joined: dict[str, str] = {}
    dropped = _dropped(headers) | {"host", "content-length", "expect"}
    for name, value in headers:
        if name.lower() not in dropped:
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def homeward(headers: Iterable[tuple[str, str]], status: int, registry: str, own: str) -> list[tuple[str, str]]:
    """The headers of an answer as the client shall see them: where the registry names itself, stands our address.

    `own` is the address under which the client knows the relay, empty to leave all names as they are.
    """
    headers = list(headers)
    dropped = _dropped(headers) | OF_TLS
    is_redirect = 300 <= status < 400
    kept = []
    for name, value in headers:
        lower = name.lower()
        if lower in dropped:
            continue
        is_ours = own and lower in NAMES_REGISTRY and not (is_redirect and lower == "location")
        kept.append((name, renamed(value, registry, own) if is_ours else value))
    return kept


def renamed(value: str, registry: str, own: str) -> str:
    """A header with our address instead of the registry's, wherever that stands as a whole."""
    return re.sub(rf"{re.escape(origin(registry))}(?::{_port(registry)})?(?=[/\"?#>]|$)", lambda _: own, value)


def origin(url: str) -> str:
    """Scheme and host, and a port that is not the scheme's own."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    standard = {"https": 443, "http": 80}.get(parts.scheme)
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port not in (None, standard) else "")


def _port(url: str) -> str:
    return {"https": "443", "http": "80"}.get(urlsplit(url).scheme, "")


def _dropped(headers: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Hop-by-hop headers, and those that Connection names."""
    named = [value for name, value in headers if name.lower() == "connection"]
    return HOP_BY_HOP | {word.strip().lower() for value in named for word in value.split(",")}


def ask(
    session: requests.Session,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | Begun | None,
    patience_s: float,
) -> requests.Response:
    """Passes a request on, with path and query as they came, and gives the answer before its body has been read.

    A body that is read while it goes out has its Content-Length among the headers, or comes in chunks. A registry that
    does not answer is tried again, unless some of such a body has gone. Raises requests.RequestException.
    """
    prepared = requests.Request(method, url, headers=dict(headers)).prepare()
    # requests would write escapes in its own way.
    prepared.url = url
    if isinstance(body, bytes):
        prepared.body, prepared.headers["Content-Length"] = body, str(len(body))
    elif body is not None:
        prepared.body = body  # type: ignore[assignment]  # requests takes what can be read, its types do not say so
        if "Content-Length" not in headers:
            prepared.headers.pop("Content-Length", None)

    def attempt() -> requests.Response:
        settings = session.merge_environment_settings(url, {}, True, None, None)
        return session.send(prepared, allow_redirects=False, timeout=TIMEOUT_S, **settings)

    can_repeat = body is None or isinstance(body, bytes)
    return Patience(patience_s if can_repeat else 0).over(attempt)


class Front:
    """Serves the requests of one relay. `names_itself`: it has another address than the registry."""

    def __init__(
        self, registry: Registry, uploads: Spooling | Streaming, patience_s: float, *, names_itself: bool
    ) -> None:
        self._registry, self._uploads, self._patience_s = registry, uploads, patience_s
        self._names_itself = names_itself
        self._heavy = threading.BoundedSemaphore(HEAVY_PLACES)

    def serve(self, client: Handler, body: Body) -> None:
        """Answers one request. Raises Cut."""
        if client.path == HEALTH:
            return client.answer(Answer(200, {"Content-Type": JSON}, b'{"status":"ok"}'), body)
        target = Target.of(client.command, client.path, client.headers.get("Content-Range", ""))
        try:
            if not self._uploads.takes(target, body.length):
                return self._pass_on(client, target, body)
            answer = self._uploads.take(target, body, Credentials.of(client.headers))
        except Cut:
            raise
        except requests.RequestException as error:
            answer = self._away(error)
        except RelayError as error:
            answer = refusal(503, "UNAVAILABLE", str(error))
        return self._hand_back(client, answer, body)

    def _hand_back(self, client: Handler, answer: Answer, body: Body) -> None:
        headers = homeward(answer.headers.items(), answer.status, self._registry.url, self._own(client))
        return client.answer(Answer(answer.status, dict(headers), answer.body), body)

    def _own(self, client: Handler) -> str:
        host = client.headers.get("Host", "")
        return f"http://{host}" if self._names_itself and host else ""

    def _away(self, error: requests.RequestException) -> Answer:
        reason = f"{self._registry.url} or its bucket does not answer ({type(error).__name__})"
        return refusal(503, "UNAVAILABLE", f"{reason}: check the relay's --registry and the network, and try again")

    def _pass_on(self, client: Handler, target: Target, body: Body) -> None:
        with self._content(body) as content:
            headers = onward(client.headers.items())
            if body.length and not isinstance(content, bytes):
                headers["Content-Length"] = str(body.length)
            url = self._registry.url + client.path
            answer = ask(self._registry.session, client.command, url, headers, content, self._patience_s)
        with closing(answer):
            if target.location and client.command == "GET" and answer.status_code == 204:
                told = self._uploads.status(target, Answer(204, dict(answer.headers), b""))
                return self._hand_back(client, told, body)
            if target.location and client.command == "DELETE" and answer.ok:
                self._uploads.cancel(target)
            return self._pass_back(client, answer, body)

    @contextmanager
    def _content(self, body: Body) -> Iterator[bytes | Begun | None]:
        """A request's body: in memory where it is small, so that it can be sent again; else as it comes."""
        if body.length == 0:
            yield None
            return
        is_light = body.length is not None and body.length <= LIGHT_BYTES
        if not is_light:
            self._heavy.acquire()
        try:
            begun = Begun(body, LARGEST_BODY)
            yield begun.whole if begun.is_whole else begun
        finally:
            if not is_light:
                self._heavy.release()

    def _pass_back(self, client: Handler, answer: requests.Response, body: Body) -> None:
        """An answer whose body goes out as it comes in."""
        status, raw = answer.status_code, answer.raw
        headers = homeward(raw.headers.items(), status, self._registry.url, self._own(client))
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
                    client.begin(status, headers, body, block)
                    first = False
                else:
                    client.wfile.write(block)
        except HTTPError:
            # Cut short: the client sees it by the length, or by the last chunk that does not come.
            client.close_connection = True
            return None if not first else client.answer(self._away(requests.ConnectionError()), body)
        if first:
            client.begin(status, headers, body, b"0\r\n\r\n" if is_chunked else b"")
        elif is_chunked:
            client.wfile.write(b"0\r\n\r\n")
        return client.end(body)


@dataclass(frozen=True, slots=True)
class Settings:
    """What `serve` is told. `key` is the installation's relay key, empty without; `patience_s` is in seconds."""

    registry: str
    listen: tuple[str, int]
    spool: Path
    key: bytes
    patience_s: float


def make_server(settings: Settings, board: Board) -> Server:
    """A server that listens already. Raises RelayError."""
    registry, passing_s = Registry(settings.registry, settings.key), min(PASSING_S, settings.patience_s)
    uploads: Spooling | Streaming
    if settings.key:
        uploads = Streaming(registry, board, passing_s)
    else:
        spool = Spool(settings.spool)
        uploads = Spooling(registry, spool, board, settings.patience_s)
        threading.Thread(target=sweep_on, args=(spool,), daemon=True).start()
    front = Front(registry, uploads, passing_s, names_itself=not settings.key)
    try:
        return Server(settings.listen, front.serve, board.tell)
    except OSError as error:
        place = "{}:{}".format(*settings.listen)
        raise RelayError(f"{place} cannot be listened on ({error.strerror}): name another by --listen") from None


def serve(settings: Settings, board: Board) -> int:
    """Serves until a signal ends it; the process ends with 1 when it had to leave requests unanswered."""
    server = make_server(settings, board)
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask_to_stop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host, port = server.server_address[:2]
    kept = "the installation's key" if settings.key else f"its spool in {settings.spool}"
    board.tell(f"relay: {settings.registry} is served on {host!s}:{port}, with {kept}")
    stop.wait()
    server.shutdown()
    server.server_close()
    if server.wait_until_idle(STOPPING_S):
        return 0
    board.tell("relay: stopped amid uploads; what came so far is kept, and goes on when it is started again")
    # Threads that are still sending would hold the process until they are done.
    os._exit(1)

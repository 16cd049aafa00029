"""Which way each request takes: the body of an upload through the relay, everything else as it is to the registry."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import requests
from urllib3.exceptions import HTTPError

from chalicelib.domain.uploads import LARGEST_BODY
from relay.answers import JSON, refusal
from relay.credentials import Credentials
from relay.errors import Cut, RelayError
from relay.passing import ask, homeward, onward
from relay.registry import Answer, Registry
from relay.server import Handler
from relay.spooling import Spooling
from relay.streaming import Streaming
from relay.target import Target
from relay.wire import Begun, Body

# Whether this process is alive, for a load balancer; nothing of the registry lies there.
HEALTH = "/relay/health"
BLOCK = 256 * 1024
# Bodies above this size take a place while they are held in memory.
LIGHT_BYTES, HEAVY_PLACES = 64 * 1024, 3


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

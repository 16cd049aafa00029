"""Requests to one other place again and again, over kept connections, with bodies that are read piece by piece.

Everything passes the guard of `outgoing.py`: each hop of a redirect and each proxy is checked, and connections go to
checked addresses. A proxy resolves the names of hosts itself, so a target behind one is refused only where its name
leads to a private address here, too; what cannot be resolved here is the proxy's to permit.
"""

import socket
import ssl
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import certifi
import urllib3
from urllib3.exceptions import HTTPError, InsecureRequestWarning, ProxyError, SSLError

from chalicelib.domain.errors import OutgoingFailed, OutgoingRefused
from chalicelib.domain.errors.upstreams import UpstreamProxyFailed, UpstreamUnreachable, UpstreamUntrusted
from chalicelib.domain.upstreams import Route
from chalicelib.remote.outgoing import Outgoing
from chalicelib.remote.pinned import AGENT, PinnedPools, PinnedProxyPools

# Seconds to connect, from byte to byte, until all headers have come, and for a document that is read as a whole.
CONNECT_S, SILENCE_S, HEADERS_S, WHOLE_S = 10.0, 30.0, 60.0, 120.0
MOST_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
CHUNK = 256 * 1024
# A body that nobody reads is read for the sake of its connection if it has at most so many bytes.
SHORT = 64 * 1024
# Connections that are kept: as many as there are threads that ask at once.
CONNECTIONS = 16

# A mirror's administrator asked for it.
warnings.simplefilter("ignore", InsecureRequestWarning)


class Stream:
    """A response whose body is read piece by piece; the names of headers are in lower case, `url` is the last hop."""

    def __init__(self, response: urllib3.BaseHTTPResponse, url: str) -> None:
        self._response, self.url = response, url
        self.status: int = response.status
        self.headers = {name.lower(): value for name, value in response.headers.items()}

    def chunks(self) -> Iterator[bytes]:
        """Yields the body in pieces. Raises UpstreamUnreachable when it ends early or stands still for 30 s."""
        if self.headers.get("content-encoding", "identity") != "identity":
            raise UpstreamUnreachable("the response is encoded, which was not requested")
        try:
            while chunk := self._response.read1(CHUNK, decode_content=False):
                yield chunk
        except (HTTPError, OSError, ValueError):
            raise UpstreamUnreachable("the connection ended within a response, or stood still for 30 seconds") from None

    def content(self, largest: int) -> bytes:
        """Returns the whole body. Raises UpstreamUnreachable if it is larger, or takes more than two minutes."""
        content, ends = bytearray(), time.monotonic() + WHOLE_S
        for chunk in self.chunks():
            content += chunk
            if len(content) > largest:
                raise UpstreamUnreachable(f"the response has more than {largest} bytes")
            if time.monotonic() > ends:
                raise UpstreamUnreachable(f"the response took more than {WHOLE_S:.0f} seconds")
        return bytes(content)


class Streams:
    """Opens streams along one route, from any number of threads. `close` closes its connections."""

    def __init__(self, outgoing: Outgoing, route: Route) -> None:
        self._outgoing, self._route = outgoing, route
        self._pools: dict[str, urllib3.PoolManager] = {}
        self._lock = threading.Lock()

    @contextmanager
    def open(self, method: str, url: str, headers: Mapping[str, str], *, follow: bool = True) -> Iterator[Stream]:
        """Yields the response to a request, after up to five redirects; `Authorization` stays at the first host.

        Without `follow` it yields the first response, also a redirect.
        Raises OutgoingRefused for an address that may not be called, UpstreamUnreachable, UpstreamUntrusted,
        UpstreamProxyFailed.
        """
        all_headers = {"User-Agent": AGENT, "Accept-Encoding": "identity", **headers}
        response, last = (
            self._follow(method, url, all_headers) if follow else (self._send(method, url, all_headers), url)
        )
        try:
            yield Stream(response, last)
        finally:
            _put_back(response)

    def checked(self, url: str) -> str:
        """Returns an address to which a client is sent. Raises OutgoingRefused for one that may not be called."""
        self._outgoing.check_url(url, may_be_plain=not self._route.verify_tls)
        return url

    def close(self) -> None:
        """Closes all connections."""
        with self._lock:
            for pools in self._pools.values():
                pools.clear()
            self._pools.clear()

    def _follow(self, method: str, url: str, headers: dict[str, str]) -> tuple[urllib3.BaseHTTPResponse, str]:
        for _ in range(MOST_REDIRECTS + 1):
            response = self._send(method, url, headers)
            location = response.headers.get("Location")
            if response.status not in REDIRECTS or not location or method not in ("GET", "HEAD"):
                return response, url
            response.close()
            following = urljoin(url, location)
            if urlsplit(following).scheme == "http" and urlsplit(url).scheme == "https" and self._route.verify_tls:
                raise UpstreamUntrusted(urlsplit(following).hostname or "", "a redirect leads to plain http")
            if _origin(following) != _origin(url):
                headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
            url = following
        raise UpstreamUnreachable(f"more than {MOST_REDIRECTS} redirects")

    def _send(self, method: str, url: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        scheme, host, port = _origin(url)
        self._outgoing.check_url(url, may_be_plain=not self._route.verify_tls)
        proxy = self._route.proxy_for(scheme, host, port)
        if proxy:
            self._outgoing.check_target(host, port)
        try:
            return self._pools_for(proxy).urlopen(
                method,
                url,
                headers=dict(headers),
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=CONNECT_S, read=SILENCE_S),
            )
        except (OutgoingRefused, OutgoingFailed) as error:
            if isinstance(error, OutgoingFailed):
                raise UpstreamUnreachable(str(error).removesuffix(": try again in a moment")) from None
            raise
        except ProxyError as error:
            raise UpstreamProxyFailed(_proxy_reason(error)) from None
        except SSLError as error:
            raise UpstreamUntrusted(host, _tls_reason(error)) from None
        except (HTTPError, OSError, ValueError):
            raise UpstreamUnreachable(f"{host} does not answer with valid HTTP") from None

    def _pools_for(self, proxy: str) -> urllib3.PoolManager:
        with self._lock:
            if proxy not in self._pools:
                self._pools[proxy] = self._new_pools(proxy)
            return self._pools[proxy]

    def _new_pools(self, proxy: str) -> urllib3.PoolManager:
        options: dict[str, Any] = {"num_pools": 8, "maxsize": CONNECTIONS, "ssl_context": _context(self._route)}
        if not self._route.verify_tls:
            options["assert_hostname"] = False
        if not proxy:
            return PinnedPools(self._connect, HEADERS_S, **options)
        parts = urlsplit(proxy)
        if parts.username:
            user, password = (unquote(text or "") for text in (parts.username, parts.password))
            options["proxy_headers"] = urllib3.make_headers(proxy_basic_auth=f"{user}:{password}")
        return PinnedProxyPools(self._connect, HEADERS_S, proxy_url=proxy, **options)

    def _connect(self, host: str, port: int, *, is_plain: bool) -> socket.socket:
        """Connects to a checked address of a host or of a proxy; whether http may be spoken was asked before."""
        del is_plain
        for address in self._outgoing.addresses(host.strip("[]"), port, is_plain=False):
            try:
                connection = socket.create_connection((address, port), CONNECT_S)
            except OSError:
                continue
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
        raise OutgoingFailed(f"{host} does not answer")


def _put_back(response: urllib3.BaseHTTPResponse) -> None:
    """Leaves the connection for the next request if the body was read, or is short; closes it otherwise."""
    left = response.length_remaining
    with suppress(HTTPError, OSError):
        if left is not None and left <= SHORT:
            response.drain_conn()
            response.release_conn()
    response.close()


def _origin(url: str) -> tuple[str, str, int]:
    """Returns scheme, host and port of an address. Raises OutgoingRefused."""
    try:
        parts = urlsplit(url)
        return parts.scheme, (parts.hostname or "").lower(), parts.port or (80 if parts.scheme == "http" else 443)
    except ValueError:
        raise OutgoingRefused("it is not a valid address") from None


def _proxy_reason(error: ProxyError) -> str:
    cause = str(error.original_error)
    if any(status in cause for status in ("401", "407")):
        return "wants another user and password"
    return "refuses the connection" if "Tunnel connection failed" in cause else "does not answer"


def _tls_reason(error: SSLError) -> str:
    cause = str(error)
    if "WRONG_VERSION_NUMBER" in cause or "RECORD_LAYER_FAILURE" in cause or "HTTP_REQUEST" in cause:
        return "it does not speak TLS"
    return "its certificate is not trusted"


def _context(route: Route) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    if not route.verify_tls:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context

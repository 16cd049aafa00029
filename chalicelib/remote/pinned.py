"""Requests over connections to pinned addresses: the guard opens the connection to an address that it has checked.

The URL's host stays in the `Host` header and is the name that the certificate must have. The structure follows
urllib3's `contrib.socks`: connection classes of our own, in pools of our own.
"""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from threading import Timer
from typing import Any, Protocol

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, PoolManager, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse

from chalicelib.domain.errors import OutgoingFailed
from chalicelib.remote.messages import OutgoingRequest, OutgoingResponse

AGENT = "Cloudberth"
CHUNK = 16 * 1024


class Connect(Protocol):
    """Opens a connection to a host."""

    def __call__(self, host: str, port: int, *, is_plain: bool) -> socket.socket:
        """Returns a connection to one of the host's addresses."""


class PlainConnection(HTTPConnection):
    """http over a connection that `connect` opens; its headers come within `headers_s` seconds, 0 for no limit."""

    def __init__(self, *places: Any, connect: Connect, headers_s: float, **options: Any) -> None:
        super().__init__(*places, **options)
        self._connect, self._headers_s = connect, headers_s

    def _new_conn(self) -> socket.socket:
        return self._connect(self.host, self.port, is_plain=True)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3's own
        """Returns the response once its headers have come."""
        with _within(self._headers_s, self):
            return super().getresponse()


class SecureConnection(HTTPSConnection):
    """https in the same way."""

    def __init__(self, *places: Any, connect: Connect, headers_s: float, **options: Any) -> None:
        super().__init__(*places, **options)
        self._connect, self._headers_s = connect, headers_s

    def _new_conn(self) -> socket.socket:
        return self._connect(self.host, self.port, is_plain=False)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3's own
        """Returns the response once its headers have come."""
        with _within(self._headers_s, self):
            return super().getresponse()


@contextmanager
def _within(seconds: float, connection: HTTPConnection) -> Iterator[None]:
    """Ends a connection from which headers come too slowly: each byte restarts the time-out of a socket."""
    if not seconds:
        yield
        return
    timer = Timer(seconds, _end, (connection,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _end(connection: HTTPConnection) -> None:
    with suppress(OSError, TypeError):
        # The method of the class, as that of a TLS socket takes its state from the thread that reads.
        socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)


CONNECTIONS: dict[str, Any] = {"http": PlainConnection, "https": SecureConnection}


class PinnedPools(PoolManager):
    """Pools of connections that `connect` opens."""

    def __init__(self, connect: Connect, headers_s: float = 0, **options: Any) -> None:
        super().__init__(**options)
        self._new = {
            scheme: partial(kind, connect=connect, headers_s=headers_s) for scheme, kind in CONNECTIONS.items()
        }

    def _new_pool(self, scheme: str, host: str, port: int, request_context: Any = None) -> HTTPConnectionPool:
        pool = super()._new_pool(scheme, host, port, request_context)
        pool.ConnectionCls = self._new[scheme]  # type: ignore[assignment]
        return pool


class PinnedProxyPools(PinnedPools, ProxyManager):
    """The same behind a proxy, to which `connect` opens the connections."""


class PinnedAdapter(HTTPAdapter):
    """The adapter by which requests uses these pools."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        super().__init__(max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        """Creates the pools."""
        self.poolmanager = PinnedPools(self._connect, num_pools=connections, maxsize=maxsize, block=block, **options)


def send(connect: Connect, request: OutgoingRequest) -> OutgoingResponse:
    """Sends a request over one connection that `connect` makes, and returns the response. Raises OutgoingFailed."""
    headers = {"User-Agent": AGENT, "Accept-Encoding": "identity", **request.headers}
    with requests.Session() as session:
        # The environment's proxies, netrc and certificates are not used.
        session.trust_env = False
        session.mount("https://", PinnedAdapter(connect))
        session.mount("http://", PinnedAdapter(connect))
        try:
            answer = session.request(
                request.method,
                request.url,
                headers=headers,
                data=request.content,
                timeout=request.timeout_s,
                allow_redirects=False,
                stream=True,
            )
            return OutgoingResponse(answer.status_code, _lower(answer.headers), _content(answer, request.largest))
        except requests.exceptions.SSLError:
            raise OutgoingFailed("its certificate is not trusted") from None
        except (requests.RequestException, HTTPError, OSError, ValueError):
            raise OutgoingFailed("it did not answer with valid HTTP") from None


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _content(response: requests.Response, largest: int) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise OutgoingFailed("the response is encoded, which was not requested")
    content = bytearray()
    for chunk in _chunks(response):
        content += chunk
        if len(content) > largest:
            raise OutgoingFailed(f"the response has more than {largest} bytes")
    return bytes(content)


def _chunks(response: requests.Response) -> Iterator[bytes]:
    while chunk := response.raw.read1(CHUNK, decode_content=False):
        yield chunk

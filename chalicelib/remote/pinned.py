"""requests over connections that somebody else makes: the guard, which has looked at the address.

The names stay in the request, its `Host` and its certificate; only the way there is ours. As urllib3's own way through
SOCKS does it: connections of another kind, in pools of another kind.
"""

import socket
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Protocol

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from chalicelib.domain.errors import OutgoingFailed
from chalicelib.remote.messages import Answer, OutgoingRequest

AGENT = "Cloudberth"
CHUNK = 16 * 1024


class Connect(Protocol):
    """Makes a connection to a host."""

    def __call__(self, host: str, port: int, *, is_plain: bool) -> socket.socket:
        """A connection to one of a host's addresses."""


class PlainConnection(HTTPConnection):
    """http over a connection that `connect` makes."""

    def __init__(self, *places: Any, connect: Connect, **options: Any) -> None:
        super().__init__(*places, **options)
        self._connect = connect

    def _new_conn(self) -> socket.socket:
        return self._connect(self.host, self.port, is_plain=True)


class SecureConnection(HTTPSConnection):
    """https over a connection that `connect` makes."""

    def __init__(self, *places: Any, connect: Connect, **options: Any) -> None:
        super().__init__(*places, **options)
        self._connect = connect

    def _new_conn(self) -> socket.socket:
        return self._connect(self.host, self.port, is_plain=False)


CONNECTIONS: dict[str, Any] = {"http": PlainConnection, "https": SecureConnection}


class Pools(PoolManager):
    """Pools of such connections."""

    def __init__(self, connect: Connect, **options: Any) -> None:
        super().__init__(**options)
        self._connect = connect

    def _new_pool(self, scheme: str, host: str, port: int, request_context: Any = None) -> HTTPConnectionPool:
        pool = super()._new_pool(scheme, host, port, request_context)
        pool.ConnectionCls = partial(CONNECTIONS[scheme], connect=self._connect)  # type: ignore[assignment]
        return pool


class Pinned(HTTPAdapter):
    """What hangs such pools into requests."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        super().__init__(max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        """Makes the pools."""
        self.poolmanager = Pools(self._connect, num_pools=connections, maxsize=maxsize, block=block, **options)


def ask(connect: Connect, request: OutgoingRequest) -> Answer:
    """Sends a request over one connection that `connect` makes, and returns the response. Raises OutgoingFailed."""
    headers = {"User-Agent": AGENT, "Accept-Encoding": "identity", **request.headers}
    with requests.Session() as session:
        # No proxies, no netrc, no certificates of the environment.
        session.trust_env = False
        session.mount("https://", Pinned(connect))
        session.mount("http://", Pinned(connect))
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
            return Answer(answer.status_code, _lower(answer.headers), _content(answer, request.largest))
        except requests.exceptions.SSLError:
            raise OutgoingFailed("its certificate is not to be trusted") from None
        except (requests.RequestException, HTTPError, OSError, ValueError):
            raise OutgoingFailed("it does not answer as it should") from None


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _content(answer: requests.Response, largest: int) -> bytes:
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise OutgoingFailed("the answer is encoded, which nobody asked for")
    found = bytearray()
    for chunk in _chunks(answer):
        found += chunk
        if len(found) > largest:
            raise OutgoingFailed(f"the answer has more than {largest} bytes")
    return bytes(found)


def _chunks(answer: requests.Response) -> Iterator[bytes]:
    while chunk := answer.raw.read1(CHUNK, decode_content=False):
        yield chunk

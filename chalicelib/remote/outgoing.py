"""Outgoing requests to hosts that a user named. The guard here keeps them away from our own network (SSRF).

Only https is allowed. A host is resolved once, all its addresses are checked, and the connection goes to one of them,
so that a second resolution cannot lead elsewhere. Redirects are not followed, the environment's proxies and netrc are
not used, and both the bytes of the response and the total time are limited. Hosts and networks that the operator
permits (CLOUDBERTH_OUTGOING_ALLOW) may be private and use http.
"""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import urlsplit

from chalicelib.domain.addresses import Permitted
from chalicelib.domain.errors import OutgoingFailed, OutgoingRefused

LARGEST, TIMEOUT_S, LONGEST_URL = 64 * 1024, 3.0, 2000
MOST_ADDRESSES = 4


@dataclass(frozen=True, slots=True)
class Response:
    """The response to an outgoing request; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""

    def json(self) -> Any:
        """Parses the content as JSON. Raises OutgoingFailed."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            raise OutgoingFailed("the response is not JSON") from None


class Outgoing:
    """Makes outgoing requests. `permitted` has what may be called besides public hosts."""

    def __init__(self, permitted: Permitted) -> None:
        self._permitted = permitted

    def check_url(self, url: str) -> None:
        """Raises OutgoingRefused for a URL that can never be called, without resolving its host."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            raise OutgoingRefused("it is not a valid address") from None
        if not host or len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
            raise OutgoingRefused("it is not a valid address")
        if "@" in parts.netloc or "\\" in url:
            raise OutgoingRefused("an address may not contain a user or a password")
        if parts.scheme not in ("https", "http"):
            raise OutgoingRefused("say https://HOST/PATH")
        self._check_scheme(host, is_plain=parts.scheme == "http")
        self._check_literal(host)

    def _check_literal(self, host: str) -> None:
        """Raises OutgoingRefused for a host that is an IP address and may not be called."""
        try:
            address = ip_address(host)
        except ValueError:
            return
        if not self._permitted.may_call(address):
            raise OutgoingRefused(f"{host} is not on the public internet, and the operator does not permit it")

    def _check_scheme(self, host: str, *, is_plain: bool) -> None:
        if is_plain and not self._permitted.has_host(host):
            raise OutgoingRefused("say https://, unless the operator permits this host")

    def addresses(self, host: str, port: int, *, is_plain: bool) -> list[str]:
        """Resolves a host. Raises OutgoingFailed if it has no address, OutgoingRefused if one may not be called."""
        self._check_scheme(host, is_plain=is_plain)
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise OutgoingFailed(f"{host} has no address") from None
        texts = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
        by_name = host.lower().rstrip(".") in self._permitted.hosts
        for text in texts:
            if not (by_name or self._permitted.may_call(ip_address(text.partition("%")[0]))):
                raise OutgoingRefused(f"{host} is not on the public internet, and the operator does not permit it")
        return texts[:MOST_ADDRESSES]

    def get(self, url: str, *, largest: int = LARGEST, timeout_s: float = TIMEOUT_S) -> Response:
        """Makes a GET request. Raises as `request` does."""
        return self.request("GET", url, largest=largest, timeout_s=timeout_s)

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        *,
        largest: int = LARGEST,
        timeout_s: float = TIMEOUT_S,
    ) -> Response:
        """Makes a request and returns the response with any status; redirects are not followed.

        The response may have at most `largest` bytes and take `timeout_s` seconds. Raises OutgoingRefused if the
        address may not be called, OutgoingFailed if there is no valid response.
        """
        self.check_url(url)
        call = Call(self, largest, timeout_s)
        worker = Thread(target=call.run, args=(method, url, headers or {}, content), name="outgoing", daemon=True)
        worker.start()
        if not call.done.wait(timeout_s):
            call.give_up()
            raise OutgoingFailed(f"no answer within {timeout_s:g} seconds")
        if isinstance(call.result, Response):
            return call.result
        raise call.result


class Call:
    """One request in a thread of its own, so that neither a slow name server nor a slow response delays the caller."""

    def __init__(self, outgoing: Outgoing, largest: int, timeout_s: float) -> None:
        self._outgoing, self._largest, self._timeout_s = outgoing, largest, timeout_s
        self._lock, self._is_over = Lock(), False
        self._socket: socket.socket | None = None
        self.done = Event()
        self.result: Response | Exception = OutgoingFailed("no answer")

    def run(self, method: str, url: str, headers: Mapping[str, str], content: bytes | None) -> None:
        """Makes the request and keeps the response or the error in `result`."""
        # Importing requests takes 60 ms, which only an outgoing request should cost.
        from chalicelib.remote.pinned import request

        try:
            parts = request(self.connect, method, url, headers, content, self._largest, self._timeout_s)
            self.result = Response(*parts)
        except Exception as error:  # noqa: BLE001 - the waiting caller raises it
            self.result = error
        finally:
            self._release()
            self.done.set()

    def connect(self, host: str, port: int, *, is_plain: bool) -> socket.socket:
        """Connects to one of a host's addresses. Raises OutgoingRefused, OutgoingFailed."""
        for address in self._outgoing.addresses(host.strip("[]"), port, is_plain=is_plain):
            if self._is_over:
                break
            try:
                return self._watched(socket.create_connection((address, port), self._timeout_s))
            except OSError:
                continue
        raise OutgoingFailed(f"{host} does not answer")

    def _watched(self, connection: socket.socket) -> socket.socket:
        """Keeps a second handle of the connection, by which `give_up` can end it from the caller's thread."""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            if self._is_over:
                connection.close()
                raise OutgoingFailed("it took too long")
            self._socket = connection.dup()
        return connection

    def give_up(self) -> None:
        """Ends the connection while the thread reads from it."""
        with self._lock:
            self._is_over = True
            if self._socket is not None:
                try:
                    self._socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    return

    def _release(self) -> None:
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None

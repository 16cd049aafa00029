"""Outgoing requests to hosts that a user named. The guard here keeps them away from our own network (SSRF).

Only https is allowed. A host is resolved once, all its addresses are checked, and the connection goes to one of them,
so that a second resolution cannot lead elsewhere. Redirects are not followed, the environment's proxies and netrc are
not used, and both the bytes of the response and the total time are limited. Hosts and networks that the operator
permits (CLOUDBERTH_OUTGOING_ALLOW) may be private and use http.
"""

import socket
from contextlib import suppress
from ipaddress import ip_address
from threading import Event, Lock, Thread
from urllib.parse import urlsplit

from chalicelib.domain.addresses import Permitted
from chalicelib.domain.errors import OutgoingFailed, OutgoingRefused
from chalicelib.remote.messages import LARGEST, TIMEOUT_S, OutgoingRequest, OutgoingResponse

LONGEST_URL = 2000
MOST_ADDRESSES = 4


class Outgoing:
    """Makes outgoing requests. `permitted` has what may be called besides public hosts."""

    def __init__(self, permitted: Permitted) -> None:
        self._permitted = permitted

    def check_url(self, url: str, *, may_be_plain: bool = False) -> None:
        """Raises OutgoingRefused for a URL that can never be called, without resolving its host.

        `may_be_plain` says that whoever named the host takes http, too.
        """
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
        self._check_scheme(host, is_plain=parts.scheme == "http" and not may_be_plain)
        self._check_literal(host)

    def check_target(self, host: str, port: int) -> None:
        """Raises OutgoingRefused for a host behind a proxy that is private here; one without an address here is not."""
        with suppress(OutgoingFailed):
            self.addresses(host.strip("[]"), port, is_plain=False)

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

    def get(self, url: str, *, largest: int = LARGEST, timeout_s: float = TIMEOUT_S) -> OutgoingResponse:
        """Reads an address. Raises as `request` does."""
        return self.request(OutgoingRequest("GET", url, largest=largest, timeout_s=timeout_s))

    def request(self, request: OutgoingRequest) -> OutgoingResponse:
        """Sends a request and returns the response, whatever its status is, a redirect too.

        Raises OutgoingRefused if the address may not be called, OutgoingFailed if the response exceeds a limit or is
        not valid HTTP.
        """
        self.check_url(request.url)
        call = Call(self, request)
        worker = Thread(target=call.run, name="outgoing", daemon=True)
        worker.start()
        if not call.done.wait(request.timeout_s):
            call.give_up()
            raise OutgoingFailed(f"no answer within {request.timeout_s:g} seconds")
        if isinstance(call.result, OutgoingResponse):
            return call.result
        raise call.result


class Call:
    """One request in a thread of its own, so that neither a slow name server nor a slow response delays the caller."""

    def __init__(self, outgoing: Outgoing, request: OutgoingRequest) -> None:
        self._outgoing, self._request = outgoing, request
        self._lock, self._is_over = Lock(), False
        self._socket: socket.socket | None = None
        self.done = Event()
        self.result: OutgoingResponse | Exception = OutgoingFailed("no answer")

    def run(self) -> None:
        """Sends the request, and keeps the response or the error in `result`."""
        # requests takes 60 ms to import, which only who calls out shall pay.
        from chalicelib.remote.pinned import send

        try:
            self.result = send(self.connect, self._request)
        except Exception as error:  # noqa: BLE001 - it is raised by whoever waits
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
                return self._watched(socket.create_connection((address, port), self._request.timeout_s))
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

"""Many keep-alive connections from one thread, with about 50 us of CPU a request, which leaves the cores to the server.

The same loop sends HEAD and GET. wrk cannot send HEAD: it waits for the body whose length the response states.
"""

from __future__ import annotations

import select
import socket
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from time import perf_counter

RECEIVE_BYTES = 65536
# Long enough for the slowest response of a busy machine; a server that hangs ends the run after it.
SILENCE_S = 60


class LoadError(Exception):
    """A response that the load does not expect."""


@dataclass
class Outcome:
    """The result of a load: responses by status, seconds, and the sorted latencies in ms."""

    seconds: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    answers_by_status: Counter[int] = field(default_factory=Counter)

    @property
    def per_second(self) -> float:
        return len(self.latencies_ms) / self.seconds

    def percentile_ms(self, share: float) -> float:
        """Returns the latency in ms that `share` (0..1) of the responses did not exceed."""
        return self.latencies_ms[min(len(self.latencies_ms) - 1, int(share * len(self.latencies_ms)))]


@dataclass
class Connection:
    """One connection with at most one open request."""

    socket: socket.socket
    sent_at: float = 0.0
    is_head: bool = False
    received: bytes = b""

    def send(self, request: bytes) -> None:
        self.is_head = request.startswith(b"HEAD ")
        self.received = b""
        self.sent_at = perf_counter()
        self.socket.sendall(request)

    def status_when_whole(self) -> int | None:
        """Reads what has arrived; returns the status if the response is complete, else None."""
        piece = self.socket.recv(RECEIVE_BYTES)
        if not piece:
            raise LoadError(f"the server closed the connection in the middle of an answer: {self.received[:300]!r}")
        self.received += piece
        head, end, body = self.received.partition(b"\r\n\r\n")
        if not end:
            return None
        status = int(head[9:12])
        if self.is_head or status in (204, 304) or len(body) >= _body_length(head):
            return status
        return None


def drive(
    address: tuple[str, int], requests: Iterable[bytes], connections: int, seconds: float, accepted: tuple[int, ...]
) -> Outcome:
    """Sends `requests`, one at a time on each connection, until none is left or the seconds are over.

    Raises LoadError at the first response whose status is not `accepted`.
    """
    outcome, waiting, poll = Outcome(), iter(requests), select.epoll()
    opened = [Connection(socket.create_connection(address, timeout=SILENCE_S)) for _ in range(connections)]
    started = perf_counter()
    under_way = {}
    try:
        for connection in opened:
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if _send_next(connection, waiting):
                under_way[connection.socket.fileno()] = connection
                poll.register(connection.socket, select.EPOLLIN)
        while under_way:
            _answer_all(poll, under_way, outcome, waiting if perf_counter() - started < seconds else iter(()), accepted)
    finally:
        poll.close()
        for connection in opened:
            connection.socket.close()
    outcome.seconds = perf_counter() - started
    outcome.latencies_ms.sort()
    return outcome


def _answer_all(
    poll: select.epoll,
    under_way: dict[int, Connection],
    outcome: Outcome,
    waiting: Iterator[bytes],
    accepted: tuple[int, ...],
) -> None:
    """Reads the responses that have arrived and sends the next request on each of their connections."""
    ready = poll.poll(SILENCE_S)
    if not ready:
        raise LoadError(f"no answer on any of {len(under_way)} connections for {SILENCE_S} s")
    for number, _ in ready:
        connection = under_way[number]
        status = connection.status_when_whole()
        if status is None:
            continue
        outcome.latencies_ms.append((perf_counter() - connection.sent_at) * 1000)
        outcome.answers_by_status[status] += 1
        if status not in accepted:
            raise LoadError(f"status {status} where {accepted} was expected: {connection.received[:500]!r}")
        if not _send_next(connection, waiting):
            poll.unregister(number)
            del under_way[number]


def _send_next(connection: Connection, waiting: Iterator[bytes]) -> bool:
    """Sends the next request; returns False if none is left."""
    request = next(waiting, None)
    if request is None:
        return False
    connection.send(request)
    return True


def _body_length(head: bytes) -> int:
    lower = head.lower()
    at = lower.find(b"\r\ncontent-length:")
    if at < 0:
        raise LoadError(f"an answer without Content-Length: {head[:300]!r}")
    return int(lower[at + 17 :].partition(b"\r\n")[0])

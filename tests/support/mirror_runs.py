"""Runs mirrors in tests: timers and workers, with a queue in memory in place of SQS."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chalicelib.domain.digests import Digest
from chalicelib.domain.mirror_runs import LEASE_S
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.repositories import Repository
from chalicelib.domain.timers import MIRROR, Due
from chalicelib.storage.mirroring.runs import MirrorRunRow
from chalicelib.storage.queues import QueueStore
from tests.support.backends import Backend
from tests.support.mirror_builders import a_mirror, mirror_row
from tests.support.upstream import Upstream

LONG_S = 900.0


class FakeQueues(QueueStore):
    """Takes the messages of one process; `loses` drops all of them."""

    def __init__(self) -> None:
        super().__init__("", None)
        self.waiting: deque[Mapping[str, Any]] = deque()
        self.batches = 0
        self.loses = False

    def send(self, queue: str, messages: Sequence[Mapping[str, Any]], *, delay_s: int = 0) -> int:
        self.batches += -(-len(messages) // 10)
        if not self.loses:
            self.waiting += messages
        return len(messages)


class MirrorRunner:
    """Runs the mirrors of a backend."""

    def __init__(self, backend: Backend) -> None:
        self.backend, self.queues = backend, FakeQueues()
        backend.services.stores.queues = self.queues

    def timer(self, repository: Repository) -> Any:
        """Lets the timers look at a mirror, as they do when its timer is due."""
        return self.backend.services.mirroring.runs.work(Due(MIRROR, repository.id, 0), lambda: True)

    def drain(self, left_s: Callable[[], float] = lambda: LONG_S) -> None:
        """Has workers work on all messages, and on those that they send."""
        while self.queues.waiting:
            self.work_one(left_s)

    def request(self, name: str = "admin/app") -> None:
        """Requests a run, on which nobody works yet."""
        actor = self.backend.signed_in(name.partition("/")[0])
        self.backend.services.mirroring.runs.request(actor, RepositoryName.parse(name))

    def work_one(self, left_s: Callable[[], float] = lambda: LONG_S) -> None:
        """Has a worker work on the next message."""
        message, room = self.queues.waiting.popleft(), self.backend.services.mirroring
        if "cached" in message:
            room.cache_workers.work(message, left_s)
        else:
            (room.discovery_workers if "discovery" in message else room.workers).work(message, left_s)

    def lose_workers(self, repository: Repository) -> None:
        """Loses all messages, waits until every lease is over, and lets the timers look."""
        self.queues.waiting.clear()
        self.backend.clock.ahead_s += LEASE_S + 1
        self.timer(repository)

    def sync(self, repository: Repository, name: str = "admin/app") -> MirrorRunRow:
        """Requests a run and has it done; returns it."""
        self.request(name)
        self.drain()
        return self.last(repository)

    def last(self, repository: Repository) -> MirrorRunRow:
        """Returns the last run of a mirror."""
        run = self.backend.services.stores.mirror_runs.get(repository.id, mirror_row(repository).run)
        assert run is not None
        return run

    def tags(self, repository: Repository) -> dict[str, str]:
        """Returns the live tags of a repository with their digests."""
        rows = self.backend.services.stores.tags.walk(repository.id, "", 1000)
        return {row.name: str(row.digest) for row in rows if row.is_alive(self.backend.clock())}


def a_mirror_of(
    upstream: Upstream, backend: Backend, patterns: tuple[str, ...] = ("*",), **settings: Any
) -> Repository:
    source = {"reference": upstream.reference, "verify_tls": False}
    return a_mirror(backend, source=source, patterns=patterns, **{"start_at": int(backend.clock()) + 60, **settings})


def body(backend: Backend, repository: Repository, digest: str) -> bytes:
    return backend.services.stores.manifests.get_body(repository.id, Digest.parse(digest))

"""A worker of a mirror dies at any of its AWS calls, or at any answer of upstream: the timers complete the run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

import pytest

from chalicelib.domain.mirror_runs import LEASE_S
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.repositories import Repository
from chalicelib.remote.streams import Streams
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.crashes import READS, Crash, before_calls
from tests.support.mirror_builders import a_mirror, mirror_row
from tests.support.mirror_runs import MirrorRunner
from tests.support.upstream import Upstream

TURNS = 8


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream().running() as running:
        yield running


@pytest.fixture
def runner(new_backend: Callable[..., Backend]) -> MirrorRunner:
    return MirrorRunner(new_backend(outgoing_allow="127.0.0.0/8"))


@contextmanager
def dying(backend: Backend, number: int) -> Iterator[list[str]]:
    """Lets nothing reach AWS from the state of this number on; yields a list that has an entry once that happened."""
    seen, is_new, dead = 0, True, list[str]()

    def called(*_: object, operation_name: str = "", event_name: str = "", **__: object) -> None:
        nonlocal seen, is_new
        seen += is_new
        if seen >= number:
            dead.append("dead")
            raise Crash
        is_new = (operation_name or event_name.rpartition(".")[2]) not in READS

    with before_calls(backend, called):
        yield dead


def a_round(upstream: Upstream, runner: MirrorRunner, number: int) -> tuple[str, Repository]:
    """Returns a mirror for each round, in which one tag is the same, one changed, one new and one gone."""
    name = f"admin/round{number}"
    source = {"reference": upstream.reference, "verify_tls": False}
    start = int(runner.backend.clock()) + 10**6
    upstream.tags.clear()
    upstream.add_image("same", "gone", layers=(b"same",))
    upstream.add_image("changed", layers=(b"old",))
    repository = a_mirror(runner.backend, name, source=source, patterns=("*",), start_at=start)
    runner.sync(repository, name)
    del upstream.tags["gone"]
    changed = upstream.add_image("changed", layers=(f"new{number}".encode(),))
    upstream.add_index("new", images={"amd64": changed})
    return name, repository


def recover(runner: MirrorRunner, repository: Repository) -> None:
    """Lets the timers look after a mirror until its run has ended."""
    for _ in range(TURNS):
        runner.queues.waiting.clear()
        runner.backend.clock.ahead_s += LEASE_S + 1
        runner.timer(repository)
        runner.drain()
        row = mirror_row(repository)
        if row.status is SyncStatus.SUCCESS and row.next_at:
            return
    raise AssertionError(f"the run does not end: {mirror_row(repository)} {runner.last(repository)}")


def check(upstream: Upstream, runner: MirrorRunner, repository: Repository) -> None:
    assert runner.tags(repository) == upstream.tags
    run = runner.last(repository)
    assert (run.pending, run.failed) == (0, 0)
    invariants.check(runner.backend)


def request(runner: MirrorRunner, name: str) -> None:
    runner.backend.services.mirroring.runs.request(runner.backend.signed_in("admin"), RepositoryName.parse(name))
    runner.drain()


def test_a_run_is_completed_after_a_death_at_any_call_of_aws(upstream: Upstream, runner: MirrorRunner) -> None:
    for number in count(1):
        name, repository = a_round(upstream, runner, number)
        with dying(runner.backend, number) as dead, suppress(Crash):
            request(runner, name)
        if not dead:
            assert number > 10
            return
        if mirror_row(repository).status.is_running:
            recover(runner, repository)
        elif runner.tags(repository) != upstream.tags:
            # It died before the run was opened.
            request(runner, name)
        check(upstream, runner, repository)


def test_a_run_is_completed_after_a_death_at_any_answer_of_upstream(
    upstream: Upstream, runner: MirrorRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    send: Callable[..., Any] = Streams._send
    left = [0]

    def mortal(self: Streams, *request: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise Crash
        return send(self, *request)

    monkeypatch.setattr(Streams, "_send", mortal)
    for number in count(1):
        name, repository = a_round(upstream, runner, number)
        left[0] = number
        try:
            request(runner, name)
        except Crash:
            recover(runner, repository)
        if left[0] > 0:
            assert number > 10
            return
        check(upstream, runner, repository)

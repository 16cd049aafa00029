"""Messages may come twice, late or not at all."""

from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.names import RepositoryName
from tests.support.mirror_runs import MirrorRunner, a_mirror_of
from tests.support.rows import due_at
from tests.support.upstream import Upstream

NAME = RepositoryName.parse("admin/app")


def test_messages_may_come_twice(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("a")
    upstream.add_image("b", layers=(b"b",))
    repository = a_mirror_of(upstream, runner.backend)
    runner.backend.services.mirroring.runs.request(runner.backend.signed_in("admin"), NAME)
    work, done = runner.backend.services.mirroring.workers.work, []
    while runner.queues.waiting:
        message = runner.queues.waiting.popleft()
        work(message, lambda: 900.0)
        work(message, lambda: 900.0)
        done.append(message)
    for message in done:
        work(message, lambda: 900.0)

    run = runner.last(repository)
    assert (run.status, run.added, run.pending) == (SyncStatus.SUCCESS, 2, 0)


def test_lost_messages_are_sent_again_by_the_timer(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("a")
    upstream.add_image("b", layers=(b"b",))
    repository = a_mirror_of(upstream, runner.backend)
    runner.queues.loses = True
    runner.backend.services.mirroring.runs.request(runner.backend.signed_in("admin"), NAME)
    runner.queues.loses = False
    assert due_at("mirror", repository.id) is not None
    runner.backend.clock.ahead_s += 200

    runner.timer(repository)
    runner.backend.services.mirroring.workers.work(runner.queues.waiting.popleft(), lambda: 900.0)
    runner.queues.waiting.clear()
    runner.backend.clock.ahead_s += 200
    runner.timer(repository)
    runner.drain()

    assert runner.last(repository).status is SyncStatus.SUCCESS

"""An upstream that wants to be left alone is left alone by all."""

from chalicelib.domain.mirror_runs import RunPhase
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.names import RepositoryName
from tests.support.fake_server import respond
from tests.support.mirror_runs import MirrorRunner, a_mirror_of
from tests.support.upstream import Upstream, on, once

NAME = RepositoryName.parse("admin/app")


def test_a_registry_that_limits_is_left_alone_and_the_run_goes_on_later(
    upstream: Upstream, runner: MirrorRunner
) -> None:
    upstream.add_image("a", layers=(b"a",))
    upstream.add_image("b", layers=(b"b",))
    upstream.fault = once(on("/blobs/", lambda handler: respond(handler, b"", 429, Retry_After="600")))
    repository = a_mirror_of(upstream, runner.backend)

    run = runner.sync(repository)

    assert (run.status, run.phase) == (SyncStatus.SYNCING, RunPhase.COPYING)
    assert 590 < run.waits_until - runner.backend.clock() <= 600
    before = len(upstream.server.asked)
    later = runner.timer(repository)
    assert later.at == run.waits_until
    assert len(upstream.server.asked) == before

    runner.backend.clock.ahead_s += 601
    runner.timer(repository)
    runner.drain()
    assert runner.last(repository).status is SyncStatus.SUCCESS
    assert set(runner.tags(repository)) == {"a", "b"}

"""A run ends with what is gone upstream in the Time Machine, unless a tag failed."""

from chalicelib.domain.digests import Digest
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.names import RepositoryName
from tests.support.mirror_runs import MirrorRunner, a_mirror_of
from tests.support.upstream import Upstream

NAME = RepositoryName.parse("admin/app")


def test_tags_that_are_gone_upstream_go_into_the_time_machine(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("keep")
    gone = upstream.add_image("gone", layers=(b"gone",))
    repository = a_mirror_of(upstream, runner.backend)
    runner.sync(repository)
    del upstream.tags["gone"]

    run = runner.sync(repository)

    assert (run.status, run.removed) == (SyncStatus.SUCCESS, 1)
    assert set(runner.tags(repository)) == {"keep"}
    lives = list(runner.backend.services.stores.tags.lives(repository.id, "gone"))
    assert [(str(life.digest), life.is_cut) for life in lives] == [(gone, True)]


def test_nothing_is_removed_when_a_tag_fails(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("a", "b")
    repository = a_mirror_of(upstream, runner.backend)
    runner.sync(repository)
    del upstream.tags["a"]
    upstream.add_image("b", layers=(b"new",))
    missing = str(Digest.of(b"new"))
    del upstream.blobs[missing]

    run = runner.sync(repository)

    assert (run.status, run.failed, run.removed) == (SyncStatus.FAIL, 1, 0)
    assert set(runner.tags(repository)) == {"a", "b"}
    assert "b: " in run.reason

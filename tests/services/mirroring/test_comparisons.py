"""Comparisons find the tags that differ, and ask for nothing else."""

from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.names import RepositoryName
from tests.support.mirror_runs import MirrorRunner, a_mirror_of
from tests.support.upstream import Upstream

NAME = RepositoryName.parse("admin/app")


def test_a_second_run_copies_only_what_changed(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("old", layers=(b"a",))
    upstream.add_image("new", layers=(b"b",))
    repository = a_mirror_of(upstream, runner.backend)
    runner.sync(repository)
    changed = upstream.add_image("new", layers=(b"a", b"c"))
    before = upstream.asked

    run = runner.sync(repository)

    assert (run.same, run.changed, run.added) == (1, 1, 0)
    assert runner.tags(repository)["new"] == changed
    asked = upstream.asked - before
    # The layer and the config that are here are not fetched.
    assert asked["GET manifests"] == 1
    assert asked["GET blobs"] == 1


def test_nothing_is_removed_when_nothing_matches(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("v1")
    repository = a_mirror_of(upstream, runner.backend)
    runner.sync(repository)
    upstream.tags.clear()

    run = runner.sync(repository)

    assert (run.status, run.removed) == (SyncStatus.SUCCESS, 0)
    assert "No tags matched" in run.warning
    assert set(runner.tags(repository)) == {"v1"}


def test_new_signatures_of_unchanged_tags_are_looked_for_once_a_day(upstream: Upstream, runner: MirrorRunner) -> None:
    image = upstream.add_image("latest")
    repository = a_mirror_of(upstream, runner.backend, patterns=("latest",))
    runner.sync(repository)
    signature = upstream.add_image(f"sha256-{image.removeprefix('sha256:')}.sig", layers=(b"signature",))
    runner.sync(repository)
    assert len(runner.tags(repository)) == 1

    runner.backend.clock.ahead_s += 86_401
    run = runner.sync(repository)

    assert (run.status, run.same, run.added, run.changed) == (SyncStatus.SUCCESS, 1, 0, 0)
    assert signature in runner.tags(repository).values()

"""A worker settles its tag once, whatever happens to it."""

import pytest

from chalicelib.domain.mirror_runs import TagOutcome
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.storage.mirroring.runs import MirrorRunRow
from tests.support.builders import a_quota
from tests.support.mirror_runs import MirrorRunner, a_mirror_of
from tests.support.rows import events, repository_of
from tests.support.upstream import Upstream

NAME = RepositoryName.parse("admin/app")


def test_one_bad_tag_fails_alone(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("good")
    upstream.add_manifest(
        {"schemaVersion": 1}, "bad", media_type="application/vnd.docker.distribution.manifest.v1+json"
    )
    repository = a_mirror_of(upstream, runner.backend)

    run = runner.sync(repository)

    assert (run.status, run.added, run.failed) == (SyncStatus.FAIL, 1, 1)
    assert set(runner.tags(repository)) == {"good"}
    (bad,) = [tag for tag in runner.backend.services.stores.mirror_runs.tags(run.id) if tag.tag == "bad"]
    assert bad.outcome is TagOutcome.FAILED
    assert "schema" in bad.reason.lower()


def test_a_tag_that_ended_five_workers_fails_and_says_so(
    upstream: Upstream, runner: MirrorRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib.services.mirroring.tag_copies import TagCopies

    upstream.add_image("a")
    repository = a_mirror_of(upstream, runner.backend)
    monkeypatch.setattr(TagCopies, "copy", lambda *_: (_ for _ in ()).throw(MemoryError()))
    runner.backend.services.mirroring.runs.request(runner.backend.signed_in("admin"), NAME)
    for _ in range(7):
        try:
            runner.drain()
        except MemoryError:
            runner.backend.clock.ahead_s += 200
            runner.timer(repository)

    run = runner.last(repository)
    assert (run.status, run.failed) == (SyncStatus.FAIL, 1)
    assert "5 workers ended" in run.reason


def test_runs_and_tags_are_recorded_by_the_robot(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("a")
    a_mirror_of(upstream, runner.backend)
    runner.sync(repository_of(runner.backend))

    kinds = {(event["kind"], event["performer"]) for event in events(runner.backend) if "mirror_sync" in event["kind"]}
    assert kinds == {
        ("repo_mirror_sync_now_requested", "admin"),
        ("repo_mirror_sync_started", "admin+mirror"),
        ("repo_mirror_sync_tag_success", "admin+mirror"),
        ("repo_mirror_sync_success", "admin+mirror"),
    }


def failed_reasons(runner: MirrorRunner, run: MirrorRunRow) -> dict[str, str]:
    """Returns why tags of a run failed."""
    tags = runner.backend.services.stores.mirror_runs.tags(run.id)
    return {tag.tag: tag.reason for tag in tags if tag.outcome is TagOutcome.FAILED}


def test_a_full_quota_fails_the_tag_and_says_so(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("a", layers=(bytes(5000),))
    repository = a_mirror_of(upstream, runner.backend)
    a_quota(runner.backend, 1000)

    run = runner.sync(repository)

    assert (run.status, list(failed_reasons(runner, run))) == (SyncStatus.FAIL, ["a"])
    assert "quota" in failed_reasons(runner, run)["a"].lower()
    assert runner.tags(repository) == {}


def test_an_immutable_tag_stays_as_it_is_and_fails_with_the_reason(upstream: Upstream, runner: MirrorRunner) -> None:
    before = upstream.add_image("a")
    repository = a_mirror_of(upstream, runner.backend)
    runner.sync(repository)
    # Made immutable before the repository became a mirror.
    (row,) = runner.backend.services.stores.tags.get_all(repository.id, [Tag("a")]).values()
    row.immutable = 1
    row.save()
    upstream.add_image("a", layers=(b"another",))

    run = runner.sync(repository)

    assert "immutable" in failed_reasons(runner, run)["a"]
    assert runner.tags(repository) == {"a": before}


def test_a_tag_that_upstream_moves_after_the_comparison_is_copied_as_it_is_then(
    upstream: Upstream, runner: MirrorRunner
) -> None:
    upstream.add_image("a")
    repository = a_mirror_of(upstream, runner.backend)
    runner.request()
    runner.work_one()
    moved = upstream.add_image("a", layers=(b"another",))

    runner.drain()

    assert runner.last(repository).status is SyncStatus.SUCCESS
    assert runner.tags(repository) == {"a": moved}


def test_a_tag_that_upstream_deletes_after_the_comparison_fails_alone(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("a")
    upstream.add_image("b", layers=(b"b",))
    repository = a_mirror_of(upstream, runner.backend)
    runner.request()
    runner.work_one()
    del upstream.tags["a"]

    runner.drain()

    assert list(failed_reasons(runner, runner.last(repository))) == ["a"]
    assert set(runner.tags(repository)) == {"b"}


def test_two_messages_for_one_tag_copy_it_once(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("a")
    repository = a_mirror_of(upstream, runner.backend)
    runner.request()
    runner.work_one()
    runner.queues.waiting.extend([*runner.queues.waiting] * 2)

    runner.drain()

    run = runner.last(repository)
    assert (run.status, run.added, run.pending) == (SyncStatus.SUCCESS, 1, 0)
    assert upstream.asked["GET manifests"] == 1

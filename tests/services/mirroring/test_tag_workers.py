"""A worker settles its tag once, whatever happens to it."""

import pytest

from chalicelib.domain.mirror_runs import TagOutcome
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.names import RepositoryName
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

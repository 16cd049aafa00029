"""Workers die, messages get lost, and settings change meanwhile: the same run still ends, and ends right."""

from __future__ import annotations

from contextlib import suppress

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.mirror_runs import TagOutcome
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.repositories import Repository
from chalicelib.services.mirroring.endings import RunEndings
from chalicelib.services.mirroring.tag_copies import TagCopies, TagJob
from chalicelib.storage import keys
from chalicelib.storage.mirroring.runs import MirroredBlobRow
from chalicelib.storage.table import get, remove_all
from tests.support.crashes import Crash
from tests.support.mirror_builders import changes, mirror_row
from tests.support.mirror_runs import MirrorRunner, a_mirror_of
from tests.support.upstream import Upstream

NAME = RepositoryName.parse("admin/app")


def one_gone_and_two_changed(upstream: Upstream, runner: MirrorRunner) -> Repository:
    """Returns a mirror whose tag `a` is gone since its last run; `b` and `c` have changed."""
    for tag in ("a", "b", "c"):
        upstream.add_image(tag, layers=(tag.encode(),))
    repository = a_mirror_of(upstream, runner.backend)
    runner.sync(repository)
    del upstream.tags["a"]
    for tag in ("b", "c"):
        upstream.add_image(tag, layers=(tag.encode() * 2,))
    return repository


def test_lost_messages_are_sent_again_for_tags_to_copy_and_not_for_those_to_remove(
    upstream: Upstream, runner: MirrorRunner
) -> None:
    repository = one_gone_and_two_changed(upstream, runner)
    runner.request()
    runner.work_one()
    runner.lose_workers(repository)

    assert [message["tag"] for message in runner.queues.waiting] == ["b", "c"]
    runner.drain()

    run = runner.last(repository)
    assert (run.status, run.changed, run.removed, run.failed, run.pending) == (SyncStatus.SUCCESS, 2, 1, 0, 0)
    assert set(runner.tags(repository)) == {"b", "c"}


def test_a_robot_that_may_write_no_more_ends_the_run_before_its_removals(
    upstream: Upstream, runner: MirrorRunner
) -> None:
    upstream.add_image("keep")
    upstream.add_image("gone", layers=(b"gone",))
    repository = a_mirror_of(upstream, runner.backend)
    runner.sync(repository)
    del upstream.tags["gone"]
    runner.request()
    runner.work_one()
    remove_all([keys.permission(repository.id, mirror_row(repository).robot_id)])
    runner.backend.clock.ahead_s += 61

    runner.drain()

    run = runner.last(repository)
    assert (run.status, run.removed) == (SyncStatus.FAIL, 0)
    assert "write" in run.reason
    assert "gone" in runner.tags(repository)


def test_removals_that_ended_five_workers_fail_the_run(
    upstream: Upstream, runner: MirrorRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.add_image("keep")
    upstream.add_image("gone", layers=(b"gone",))
    repository = a_mirror_of(upstream, runner.backend)
    runner.sync(repository)
    del upstream.tags["gone"]
    monkeypatch.setattr(RunEndings, "_remove_gone", lambda *_: (_ for _ in ()).throw(Crash))
    runner.request()
    for _ in range(5):
        with pytest.raises(Crash):
            runner.drain()
        runner.lose_workers(repository)
    runner.drain()

    run = runner.last(repository)
    assert run.status is SyncStatus.FAIL
    assert "5 workers ended" in run.reason


@pytest.mark.parametrize("deaths", [1, 3])
def test_the_time_of_dead_workers_is_not_the_tags(
    upstream: Upstream, runner: MirrorRunner, monkeypatch: pytest.MonkeyPatch, deaths: int
) -> None:
    published, left = TagCopies.copy, [deaths]

    def copy(copies: TagCopies, job: TagJob) -> TagOutcome:
        left[0] -= 1
        if left[0] >= 0:
            raise Crash
        return published(copies, job)

    monkeypatch.setattr(TagCopies, "copy", copy)
    upstream.add_image("a")
    repository = a_mirror_of(upstream, runner.backend, timeout_s=300)
    runner.request()
    for _ in range(deaths):
        with suppress(Crash):
            runner.drain()
        runner.lose_workers(repository)
    runner.drain()

    assert runner.last(repository).status is SyncStatus.SUCCESS


def test_a_mirror_that_is_disabled_while_its_last_tag_is_copied_begins_no_other_run(
    upstream: Upstream, runner: MirrorRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    published, mirrors = TagCopies.copy, runner.backend.services.mirroring.mirrors

    def copy(copies: TagCopies, job: TagJob) -> TagOutcome:
        outcome = published(copies, job)
        mirrors.change(runner.backend.signed_in("admin"), NAME, changes(is_enabled=False))
        return outcome

    monkeypatch.setattr(TagCopies, "copy", copy)
    upstream.add_image("a")
    repository = a_mirror_of(upstream, runner.backend, interval_s=3600)

    runner.sync(repository)

    row = mirror_row(repository)
    assert (row.status.is_running, row.next_at) == (False, None)


def test_a_worker_keeps_a_blob_while_its_bytes_come_slowly(upstream: Upstream, runner: MirrorRunner) -> None:
    layer = bytes(range(256)) * (12 * 4096)
    upstream.add_image("a", "b", layers=(layer,))
    repository = a_mirror_of(upstream, runner.backend, timeout_s=100_000)
    runner.request()
    runner.work_one()
    run, lapsed = runner.last(repository), []

    def left_s() -> float:
        held = get(MirroredBlobRow, keys.mirrored_blob(run.id, Digest.of(layer)))
        if held and held.lease_until:
            lapsed.append(held.lease_until <= runner.backend.clock())
            runner.backend.clock.ahead_s += 40
        return 900.0

    runner.work_one(left_s)

    assert len(lapsed) > 10
    assert not any(lapsed)

"""Runs begin by the schedule or by request, and end whatever happens."""

import pytest

from chalicelib.domain.errors import MirrorInvalid, ResourceUnknown
from chalicelib.domain.mirror_runs import RunCause
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.repositories import Mode
from chalicelib.telemetry import logger, one_line
from tests.support.fake_server import respond
from tests.support.mirror_builders import mirror_row
from tests.support.mirror_runs import MirrorRunner, a_mirror_of
from tests.support.upstream import Upstream, on

NAME = RepositoryName.parse("admin/app")


def test_a_failed_run_is_tried_again_after_one_five_and_fifteen_minutes(
    upstream: Upstream, runner: MirrorRunner
) -> None:
    upstream.fault = on("tags/list", lambda handler: respond(handler, b"", 500))
    repository = a_mirror_of(upstream, runner.backend, start_at=0, interval_s=86_400)
    pauses = []
    for _ in range(4):
        runner.timer(repository)
        runner.drain()
        row = mirror_row(repository)
        assert row.status is SyncStatus.FAIL
        pauses.append(row.next_at - int(runner.backend.clock()))
        runner.backend.clock.ahead_s += pauses[-1] + 1
    assert [round(pause, -1) for pause in pauses[:3]] == [60, 300, 900]
    assert pauses[3] > 3600
    assert runner.last(repository).cause is RunCause.RETRY


def test_the_schedule_begins_runs(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("latest")
    repository = a_mirror_of(upstream, runner.backend, interval_s=3600)
    assert runner.timer(repository).at == mirror_row(repository).next_at
    runner.backend.clock.ahead_s += 61

    runner.timer(repository)
    runner.drain()

    row = mirror_row(repository)
    assert (row.status, row.next_at) == (SyncStatus.SUCCESS, row.start_at + 3600)
    assert runner.last(repository).cause is RunCause.SCHEDULE
    assert set(runner.tags(repository)) == {"latest"}


def test_a_cancel_keeps_what_is_copied_and_the_schedule(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("a")
    upstream.add_image("b", layers=(b"b",))
    repository = a_mirror_of(upstream, runner.backend, interval_s=3600)
    actor, runs = runner.backend.signed_in("admin"), runner.backend.services.mirroring.runs
    runs.request(actor, NAME)
    work = runner.backend.services.mirroring.workers.work
    work(runner.queues.waiting.popleft(), lambda: 900.0)
    work(runner.queues.waiting.popleft(), lambda: 900.0)

    runs.cancel(actor, NAME)
    runner.drain()

    row = mirror_row(repository)
    assert (row.status, row.next_at) == (SyncStatus.CANCEL, row.start_at)
    assert set(runner.tags(repository)) == {"a"}
    with pytest.raises(ResourceUnknown):
        runs.cancel(actor, NAME)


def test_changed_settings_end_a_run_and_a_new_one_follows(upstream: Upstream, runner: MirrorRunner) -> None:
    from tests.support.mirror_builders import changes

    upstream.add_image("a", "b")
    repository = a_mirror_of(upstream, runner.backend)
    actor = runner.backend.signed_in("admin")
    runner.backend.services.mirroring.runs.request(actor, NAME)
    runner.backend.services.mirroring.mirrors.change(actor, NAME, changes(patterns=("b",)))

    runner.drain()
    first = runner.last(repository)
    assert (first.status, "settings" in first.reason) == (SyncStatus.CANCEL, True)
    runner.timer(repository)
    runner.drain()

    assert runner.last(repository).status is SyncStatus.SUCCESS
    assert set(runner.tags(repository)) == {"b"}


def test_a_repository_that_is_no_mirror_any_more_gets_nothing(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("a")
    repository = a_mirror_of(upstream, runner.backend)
    actor = runner.backend.signed_in("admin")
    runner.backend.services.mirroring.runs.request(actor, NAME)
    runner.backend.services.registry.repositories.change_mode(actor, NAME, Mode.NORMAL)

    runner.drain()

    assert runner.last(repository).status is SyncStatus.CANCEL
    assert runner.tags(repository) == {}
    with pytest.raises(MirrorInvalid, match="NORMAL"):
        runner.backend.services.mirroring.runs.request(actor, NAME)


def test_a_second_request_finds_the_run_that_is_open(upstream: Upstream, runner: MirrorRunner) -> None:
    a_mirror_of(upstream, runner.backend)
    actor = runner.backend.signed_in("admin")
    runner.backend.services.mirroring.runs.request(actor, NAME)
    with pytest.raises(ResourceUnknown):
        runner.backend.services.mirroring.runs.request(actor, NAME)


def test_runs_are_measured(upstream: Upstream, runner: MirrorRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    upstream.add_image("a")
    repository = a_mirror_of(upstream, runner.backend)
    lines: list[dict[str, object]] = []
    monkeypatch.setattr(logger, "info", lambda _, **facts: lines.append(facts))
    with one_line("turn"):
        run = runner.sync(repository)

    names = ("MirrorRunsBegun", "MirrorRunsEnded", "MirrorRunsFailed", "MirrorTagsFailed", "MirrorBytes")
    assert [lines[-1][name] for name in names] == [1, 1, 0, 0, run.bytes_done]
    assert run.bytes_done > 0

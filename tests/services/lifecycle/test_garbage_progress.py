"""Superusers see the progress of the garbage collector."""

import pytest

from chalicelib.domain.errors import Denied, Unauthenticated
from chalicelib.domain.permissions import ANONYMOUS
from chalicelib.domain.timers import GARBAGE, Due, HasTime
from chalicelib.services.lifecycle.garbage_progress import LONGEST_TURN_S, CollectorProgress
from chalicelib.services.lifecycle.timers import LEFT_S, Timers
from chalicelib.storage.lifecycle.garbage import NOTHING
from chalicelib.storage.timers import TimerStore, timer
from tests.support.backends import Backend
from tests.support.builders import push_image
from tests.support.sweeping import WINDOW_S, advance_clock, delete_tag, expire_everything, sweep


def report(backend: Backend) -> CollectorProgress:
    return backend.services.lifecycle.garbage_progress.report(backend.signed_in("admin"))


def test_before_the_first_turn_the_report_is_empty(backend: Backend) -> None:
    assert report(backend) == CollectorProgress(0, is_running=False, freed=NOTHING, freed_at=None, turn=None)


def test_waiting_targets_and_freed_bytes_are_counted(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    delete_tag(backend, "v1")
    advance_clock(backend, WINDOW_S + backend.settings.lease_s + 1)
    assert report(backend).queued > 0

    sweep(backend)
    expire_everything(backend)

    progress = report(backend)
    assert (progress.queued, progress.is_running, progress.freed.manifests) == (0, False, 1)
    assert progress.freed.bytes > manifest.size
    assert backend.services.lifecycle.garbage.freed_bytes == progress.freed.bytes
    assert progress.freed_at is not None
    assert progress.turn is not None
    assert progress.turn.ended_at is not None
    assert progress.turn.failed == 0


def test_a_turn_is_reported_as_running_until_it_must_have_been_killed(backend: Backend) -> None:
    seen: list[CollectorProgress] = []

    def work(due: Due, has_time: HasTime) -> None:
        seen.append(report(backend))
        raise KeyboardInterrupt

    timer(GARBAGE, "UP#1", int(backend.clock()) - 7).save()
    with pytest.raises(KeyboardInterrupt):
        Timers(TimerStore(), {GARBAGE: work}, backend.clock).run(lambda: LEFT_S + 5)

    assert [progress.is_running for progress in seen] == [True]
    advance_clock(backend, LONGEST_TURN_S + 1)
    assert report(backend).is_running is False


def test_a_turn_reports_failures_and_how_late_it_was(backend: Backend) -> None:
    def work(due: Due, has_time: HasTime) -> None:
        raise ValueError

    timer(GARBAGE, "UP#1", int(backend.clock()) - 7).save()
    Timers(TimerStore(), {GARBAGE: work}, backend.clock).run(lambda: LEFT_S + 5)

    turn = report(backend).turn
    assert turn is not None
    assert (turn.failed, turn.done) == (1, 0)
    assert turn.late_s >= 7


def test_only_superusers_see_the_progress(backend: Backend) -> None:
    backend.user("bob")
    for actor, refusal in ((ANONYMOUS, Unauthenticated), (backend.signed_in("bob"), Denied)):
        with pytest.raises(refusal):
            backend.services.lifecycle.garbage_progress.report(actor)

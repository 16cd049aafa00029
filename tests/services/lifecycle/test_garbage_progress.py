"""Progress: what the collector does is told to superusers as it is."""

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


def test_before_the_first_turn_there_is_nothing_to_tell(backend: Backend) -> None:
    assert report(backend) == CollectorProgress(0, is_running=False, freed=NOTHING, freed_at=None, turn=None)


def test_what_waits_is_counted_and_what_was_freed_too(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    delete_tag(backend, "v1")
    advance_clock(backend, WINDOW_S + backend.settings.lease_s + 1)
    assert report(backend).queued > 0

    sweep(backend)
    expire_everything(backend)

    told = report(backend)
    assert (told.queued, told.is_running, told.freed.manifests) == (0, False, 1)
    assert told.freed.bytes > manifest.size
    assert backend.services.lifecycle.garbage.freed_bytes == told.freed.bytes
    assert told.freed_at is not None
    assert told.turn is not None
    assert told.turn.ended_at is not None
    assert told.turn.failed == 0


def test_a_turn_is_told_while_it_runs_and_not_for_ever_when_it_was_killed(backend: Backend) -> None:
    seen: list[CollectorProgress] = []

    def work(due: Due, has_time: HasTime) -> None:
        seen.append(report(backend))
        raise KeyboardInterrupt

    timer(GARBAGE, "UP#1", int(backend.clock()) - 7).save()
    with pytest.raises(KeyboardInterrupt):
        Timers(TimerStore(), {GARBAGE: work}, backend.clock).run(lambda: LEFT_S + 5)

    assert [told.is_running for told in seen] == [True]
    advance_clock(backend, LONGEST_TURN_S + 1)
    assert report(backend).is_running is False


def test_a_turn_tells_what_failed_and_how_late_it_was(backend: Backend) -> None:
    def work(due: Due, has_time: HasTime) -> None:
        raise ValueError

    timer(GARBAGE, "UP#1", int(backend.clock()) - 7).save()
    Timers(TimerStore(), {GARBAGE: work}, backend.clock).run(lambda: LEFT_S + 5)

    turn = report(backend).turn
    assert turn is not None
    assert (turn.failed, turn.done) == (1, 0)
    assert turn.late_s >= 7


def test_nobody_else_is_told(backend: Backend) -> None:
    backend.user("bob")
    for actor, refusal in ((ANONYMOUS, Unauthenticated), (backend.signed_in("bob"), Denied)):
        with pytest.raises(refusal):
            backend.services.lifecycle.garbage_progress.report(actor)

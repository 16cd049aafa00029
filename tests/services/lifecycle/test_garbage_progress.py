"""Progress: what the collector does is told to superusers as it is."""

import pytest

from chalicelib.domain.errors import Denied, Unauthenticated
from chalicelib.domain.permissions import ANONYMOUS
from chalicelib.domain.timers import GARBAGE, Due, HasTime
from chalicelib.services.lifecycle.garbage_progress import LONGEST_TURN_S, CollectorProgress
from chalicelib.services.lifecycle.timers import LEFT_S, Timers
from chalicelib.storage.lifecycle.garbage import NOTHING
from chalicelib.storage.timers import TimerStore, timer
from tests.support.backends import House
from tests.support.builders import a_push
from tests.support.sweeping import WINDOW_S, delete_tag, later, outlive, sweep


def report(house: House) -> CollectorProgress:
    return house.services.progress.report(house.signed_in("admin"))


def test_before_the_first_turn_there_is_nothing_to_tell(house: House) -> None:
    assert report(house) == CollectorProgress(0, is_running=False, freed=NOTHING, freed_at=None, turn=None)


def test_what_waits_is_counted_and_what_was_freed_too(house: House) -> None:
    manifest = a_push(house, "v1")
    delete_tag(house, "v1")
    later(house, WINDOW_S + house.settings.lease_s + 1)
    assert report(house).queued > 0

    sweep(house)
    outlive(house)

    told = report(house)
    assert (told.queued, told.is_running, told.freed.manifests) == (0, False, 1)
    assert told.freed.bytes > manifest.size
    assert house.services.garbage.freed_bytes == told.freed.bytes
    assert told.freed_at is not None
    assert told.turn is not None
    assert told.turn.ended_at is not None
    assert told.turn.failed == 0


def test_a_turn_is_told_while_it_runs_and_not_for_ever_when_it_was_killed(house: House) -> None:
    seen: list[CollectorProgress] = []

    def work(due: Due, has_time: HasTime) -> None:
        seen.append(report(house))
        raise KeyboardInterrupt

    timer(GARBAGE, "UP#1", int(house.clock()) - 7).save()
    with pytest.raises(KeyboardInterrupt):
        Timers(TimerStore(), {GARBAGE: work}, house.clock).run(lambda: LEFT_S + 5)

    assert [told.is_running for told in seen] == [True]
    later(house, LONGEST_TURN_S + 1)
    assert report(house).is_running is False


def test_a_turn_tells_what_failed_and_how_late_it_was(house: House) -> None:
    def work(due: Due, has_time: HasTime) -> None:
        raise ValueError

    timer(GARBAGE, "UP#1", int(house.clock()) - 7).save()
    Timers(TimerStore(), {GARBAGE: work}, house.clock).run(lambda: LEFT_S + 5)

    turn = report(house).turn
    assert turn is not None
    assert (turn.failed, turn.done) == (1, 0)
    assert turn.late_s >= 7


def test_nobody_else_is_told(house: House) -> None:
    house.user("bob")
    for actor, refusal in ((ANONYMOUS, Unauthenticated), (house.signed_in("bob"), Denied)):
        with pytest.raises(refusal):
            house.services.progress.report(actor)

"""A worker learns in time that it has to stop."""

import pytest

from chalicelib.domain.mirror_runs import LOOK_S, RENEW_S
from chalicelib.services.mirroring.pulse import OutOfTime, Pulse, PulseRules, RunStopped, TagTooSlow


class Scene:
    def __init__(self, until: float = float("inf")) -> None:
        self.now, self.left, self.is_open, self.renewed = 0.0, 900.0, True, list[int]()
        self.keeps = True
        self.pulse = Pulse(PulseRules(lambda: self.left, self.look, self.renew, lambda: self.now, until))
        self.looks = 0

    def look(self) -> bool:
        self.looks += 1
        return self.is_open

    def renew(self, bytes_done: int) -> bool:
        self.renewed.append(bytes_done)
        return self.keeps


def test_the_run_is_looked_at_every_few_seconds_and_the_lease_renewed_every_minute() -> None:
    scene = Scene()
    for _ in range(RENEW_S * 2):
        scene.now += 1
        scene.pulse(10)
    assert scene.looks == RENEW_S * 2 // LOOK_S
    assert scene.renewed == [600, 1200]
    assert LOOK_S <= 10, "a cancel is seen within ten seconds"


def test_a_run_that_has_ended_stops_its_workers() -> None:
    scene = Scene()
    scene.is_open, scene.now = False, LOOK_S
    with pytest.raises(RunStopped):
        scene.pulse()


def test_a_worker_that_lost_its_work_stops() -> None:
    scene = Scene()
    scene.keeps, scene.now = False, RENEW_S
    with pytest.raises(RunStopped):
        scene.pulse()


def test_a_worker_stops_before_lambda_ends_it() -> None:
    scene = Scene()
    scene.left = 29.0
    with pytest.raises(OutOfTime):
        scene.pulse()


def test_a_tag_that_takes_too_long_is_given_up() -> None:
    scene = Scene(until=300)
    scene.now = 301
    with pytest.raises(TagTooSlow):
        scene.pulse()

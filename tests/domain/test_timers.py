"""Timers: the pause after a failure."""

from chalicelib.domain.timers import pause_s


def test_the_pause_doubles_with_each_failure_up_to_an_hour() -> None:
    assert [pause_s(tries) for tries in (1, 2, 3, 9, 1000)] == [15, 30, 60, 3600, 3600]

"""Timers: how long a failure waits for its next turn."""

from chalicelib.domain.timers import pause_s


def test_a_failure_waits_twice_as_long_each_time_and_an_hour_at_most() -> None:
    assert [pause_s(tries) for tries in (1, 2, 3, 9, 1000)] == [15, 30, 60, 3600, 3600]

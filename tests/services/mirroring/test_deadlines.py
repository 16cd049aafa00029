"""Whoever waits for another registry gets its answer or its error, or is told in time that there is none."""

from threading import Event

import pytest

from chalicelib.domain.errors.upstreams import UpstreamSlow, UpstreamUnknown
from chalicelib.services.mirroring.deadlines import within


def test_the_answer_and_the_error_come_as_they_are() -> None:
    def refuse() -> int:
        raise UpstreamUnknown("quay.io", "a/b")

    assert within(5, lambda: 3) == 3
    with pytest.raises(UpstreamUnknown):
        within(5, refuse)


def test_what_takes_longer_is_given_up() -> None:
    gate = Event()
    with pytest.raises(UpstreamSlow, match="no answer within 0 seconds"):
        within(0.05, lambda: gate.wait(10))
    gate.set()

"""One line for each request and each job, to which whoever works on it adds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.telemetry import count_call, leave_line_out, logger, note, one_line, same_line

Log = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    lines: Log = []
    monkeypatch.setattr(logger, "info", lambda message, **facts: lines.append((message, facts)))
    return lines


def test_a_line_has_what_was_noted_and_counted(log: Log) -> None:
    with one_line("turn", kind="a"):
        note(tag="v1")
        count_call(request=None, event_name="before-send.s3")

    ((message, facts),) = log
    assert (message, facts["kind"], facts["tag"], facts["aws_calls"]) == ("turn", "a", "v1", 1)


def test_a_line_is_written_when_the_work_fails(log: Log) -> None:
    def fail() -> None:
        with one_line("turn"):
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    assert len(log) == 1


def test_a_line_that_another_one_replaces_is_not_written(log: Log) -> None:
    with one_line("outer"):
        with one_line("inner"):
            note(of="inner")
        leave_line_out()

    assert [message for message, _ in log] == ["inner"]


def test_threads_count_for_the_line_of_who_started_them(log: Log) -> None:
    with one_line("turn"), ThreadPoolExecutor(4, initializer=same_line()) as pool:
        list(pool.map(lambda _: count_call(), range(200)))

    assert log[0][1]["aws_calls"] == 200


def test_outside_of_a_line_nothing_is_noted(log: Log) -> None:
    note(tag="v1")
    count_call()
    leave_line_out()

    assert log == []

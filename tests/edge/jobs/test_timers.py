"""The job `timers`, called as EventBridge calls it."""

from typing import Any

import pytest

from chalicelib.domain.timers import PURGE, Due, HasTime
from chalicelib.edge.jobs import timers
from chalicelib.services.lifecycle.timers import Timers
from chalicelib.storage.timers import TimerStore, timer
from chalicelib.telemetry import logger
from tests.support.backends import Backend
from tests.support.rows import rows_like


@pytest.fixture
def done(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Returns the targets of the work that was done; only the kind `purge` has an owner."""
    found: list[str] = []

    def work(due: Due, has_time: HasTime) -> None:
        found.append(due.target)

    backend.services.lifecycle.timers = Timers(TimerStore(), {PURGE: work}, backend.clock)
    monkeypatch.setattr(timers, "services", lambda: backend.services)
    return found


def test_a_run_does_the_due_work_and_reports_it(
    backend: Backend, done: list[str], tick: dict[str, Any], context: type
) -> None:
    timer(PURGE, "1", int(backend.clock()) - 2).save()

    summary = timers.timers(tick, context(60_000))

    assert done == ["1"]
    assert summary.pop("late_s") >= 2
    assert summary.pop("began_at") is not None
    assert summary == {"done": 1, "later": 0, "failed": 0, "lost": 0, "is_all": True, "next_at": None}


def test_a_run_is_logged_as_a_metric_of_its_installation(
    backend: Backend, done: list[str], tick: dict[str, Any], context: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[dict[str, Any]] = []
    monkeypatch.setattr(logger, "info", lambda message, **fields: lines.append(fields))
    timers.timers(tick, context(60_000))
    assert lines == [], "an idle turn says nothing"
    timer(PURGE, "1", int(backend.clock()) - 2).save()

    timers.timers(tick, context(60_000))

    (line,) = lines
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Cloudberth"
    assert {metric["Name"] for metric in directive["Metrics"]} == {"FreedBytes", "TimersLateSeconds", "TimersFailed"}
    assert (line["FreedBytes"], line["TimersFailed"]) == (0, 0)
    assert line["TimersLateSeconds"] >= 2
    assert [line[dimension] for (dimension,) in directive["Dimensions"]] == [backend.settings.table]


def test_a_run_ends_by_itself_when_its_time_is_up(
    backend: Backend, done: list[str], tick: dict[str, Any], context: type
) -> None:
    timer(PURGE, "1", int(backend.clock()) - 2).save()

    assert timers.timers(tick, context(9_000))["is_all"] is False
    assert done == []
    assert len(rows_like(backend, "TIMER#")) == 1

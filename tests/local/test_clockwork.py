"""The clockwork plays EventBridge."""

import queue
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from infra.local import clockwork
from infra.local.clockwork import Clockwork, LambdaContext, ScheduleRule, event, rest_after, rules, seconds
from tests.support.stack import Stack, wait_for


def test_the_schedules_of_the_app_run_at_their_rates_and_timers_every_second() -> None:
    found = {rule.name: rule for rule in rules()}

    assert found["reconcile"].every_s == 3600
    assert found["timers"].every_s == 1
    assert found["timers"].function.__module__ != clockwork.__name__


@pytest.mark.parametrize(
    ("expression", "expected"),
    [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(2 hours)", 7200), ("rate(1 day)", 86400)],
)
def test_a_rate_is_turned_into_seconds(expression: str, expected: int) -> None:
    assert seconds(expression) == expected


def test_a_cron_expression_is_refused() -> None:
    with pytest.raises(ValueError, match="cron"):
        seconds("cron(0 12 * * ? *)")


def test_an_event_has_the_fields_of_eventbridge() -> None:
    sent = event("timers")

    assert set(sent) == {
        "version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail",
    }  # fmt: skip
    assert sent["source"] == "aws.events"
    assert sent["resources"][0].endswith("rule/cloudberth-timers")


def test_every_rule_goes_on_while_another_fails_or_is_slow() -> None:
    calls = {"broken": 0, "slow": 0, "quick": 0}
    enough, release = threading.Event(), threading.Event()

    def broken(_event: object, _context: object) -> None:
        calls["broken"] += 1
        raise ValueError("no")

    def slow(_event: object, _context: object) -> None:
        calls["slow"] += 1
        release.wait(10)

    def quick(_event: object, _context: object) -> None:
        calls["quick"] += 1
        if calls["quick"] >= 5 and calls["broken"] >= 5:
            enough.set()

    clock = Clockwork([ScheduleRule(function.__name__, function, 0.01, 5) for function in (broken, slow, quick)])
    thread = threading.Thread(target=clock.run)
    thread.start()
    assert enough.wait(10)
    clock.stop()
    release.set()
    thread.join(10)

    assert not thread.is_alive()
    assert calls["slow"] == 1


IDLE = {"done": 0, "later": 0, "failed": 0, "lost": 0, "is_all": True, "next_at": None}


@pytest.mark.parametrize("found", [{"done": 1}, {"later": 1}, {"failed": 1}, {"lost": 1}, {"is_all": False}])
def test_the_timers_do_not_rest_after_a_turn_that_found_work(found: dict[str, Any]) -> None:
    assert rest_after({**IDLE, **found}) == 0


def test_the_timers_rest_five_seconds_or_until_the_next_timer_is_due() -> None:
    assert rest_after(IDLE) == 5
    assert 2 < rest_after({**IDLE, "next_at": time.time() + 3}) <= 3
    assert rest_after({**IDLE, "next_at": int(time.time()) - 1}) == 0


def test_a_rule_rests_as_long_as_its_last_call_says_unless_it_is_woken_or_stopped() -> None:
    calls: queue.Queue[str] = queue.Queue()

    def rule(name: str) -> ScheduleRule:
        return ScheduleRule(name, lambda event, _: calls.put(name), 0.001, 5, lambda _: 3600)

    clock = Clockwork([rule("woken"), rule("resting")])
    thread = threading.Thread(target=clock.run)
    thread.start()
    assert {calls.get(timeout=10), calls.get(timeout=10)} == {"woken", "resting"}
    for _ in range(5):
        clock.wake("woken")
        assert calls.get(timeout=10) == "woken"
    clock.stop()
    thread.join(10)

    assert not thread.is_alive()
    assert "resting" not in list(calls.queue)


def test_a_rule_that_is_woken_during_its_call_does_not_rest_after_it() -> None:
    calls: queue.Queue[int] = queue.Queue()

    def turn(_event: object, _context: object) -> None:
        if calls.qsize() == 0:
            clock.wake("turn")
        calls.put(1)

    clock = Clockwork([ScheduleRule("turn", turn, 0.001, 5, lambda _: 3600)])
    thread = threading.Thread(target=clock.run)
    thread.start()
    wait_for(lambda: calls.qsize() == 2, "the second call")
    clock.stop()
    thread.join(10)

    assert calls.qsize() == 2


def test_a_call_has_no_time_left_when_the_clockwork_stops() -> None:
    left: list[int] = []
    started = threading.Event()

    def turn(_event: object, context: LambdaContext) -> None:
        left.append(context.get_remaining_time_in_millis())
        started.set()
        while context.get_remaining_time_in_millis() > 0:
            time.sleep(0.01)
        left.append(context.get_remaining_time_in_millis())

    clock = Clockwork([ScheduleRule("turn", turn, 60, 30)])
    thread = threading.Thread(target=clock.run)
    thread.start()
    assert started.wait(10)
    clock.stop()
    thread.join(10)

    assert not thread.is_alive()
    assert 29_000 < left[0] <= 30_000
    assert left[1] == 0


@pytest.mark.timeout(180)
def test_due_timers_are_done_even_if_the_clockwork_is_killed_in_the_middle(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "data")
    try:
        with requests.Session() as admin:
            sign_in(admin, stack)
            exports, killed = [], 0
            for number in range(12):
                exports.append(answer_of(admin, stack, "POST", "/api/v1/user/exportlogs", json={})["export_id"])
                if number % 4 == 3:
                    # The supervisor reports the next process only after it has seen the last one end.
                    wait_for(partial(is_another, stack, killed), "a clockwork that runs")
                    killed = stack.kill("clockwork")
            for identifier in exports:
                wait_for(partial(is_open, stack, identifier), "a file", 60)
    finally:
        stack.stop()


def sign_in(session: requests.Session, stack: Stack) -> None:
    token = session.get(stack.url + "/csrf_token", timeout=20).json()["csrf_token"]
    session.headers["X-CSRF-Token"] = token
    body = {"username": stack.admin, "password": stack.password}
    answer = session.post(stack.url + "/api/v1/signin", json=body, timeout=20)
    assert answer.status_code == 200, answer.text
    session.headers["X-CSRF-Token"] = answer.headers["X-Next-CSRF-Token"]


def answer_of(session: requests.Session, stack: Stack, method: str, path: str, **options: Any) -> dict[str, str]:
    answer = session.request(method, stack.url + path, timeout=20, **options)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def is_open(stack: Stack, identifier: str) -> bool:
    """Tells whether the file of an export exists and is complete."""
    answer = requests.get(f"{stack.url}/exportedlogs/{identifier}", timeout=20)
    return answer.status_code == 200 and answer.json()["logs"][-1] == {"terminator": True}


def is_another(stack: Stack, killed: int) -> bool:
    """Whether a clockwork runs that is not the one that was killed."""
    return stack.pids().get("clockwork", killed) != killed

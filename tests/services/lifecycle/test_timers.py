"""A due timer is run at least once, whatever crashes, and unfinished work continues."""

from collections.abc import Callable, Mapping

import pytest

from chalicelib.domain.timers import EXPORT, GARBAGE, PURGE, Due, HasTime, Later, Work
from chalicelib.services.lifecycle.timers import LEFT_S, Timers, TimerTurn
from chalicelib.storage import keys
from chalicelib.storage.table import get, put_all
from chalicelib.storage.timers import TimerRow, TimerStore, timer
from chalicelib.telemetry import logger
from tests.support.backends import Backend
from tests.support.builders import push_image
from tests.support.crashes import Crash, crash_before
from tests.support.rows import due_at, rows_like

LONG = 60.0


class Worker:
    """Does the work of a kind: records each call and returns the given answers in turn, the last one repeatedly."""

    def __init__(self, *answers: Later | Exception | None) -> None:
        self.calls: list[Due] = []
        self._answers = list(answers) or [None]

    def __call__(self, due: Due, has_time: HasTime) -> Later | None:
        self.calls.append(due)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def runner(backend: Backend, owners: Mapping[str, Work]) -> Timers:
    return Timers(TimerStore(), owners, backend.clock)


def run(backend: Backend, left_s: Callable[[], float] = lambda: LONG, **owners: Work) -> TimerTurn:
    return runner(backend, owners).run(left_s)


def armed(backend: Backend, kind: str, target: str, ago_s: int = 5) -> int:
    """Arms a timer and returns when it was due."""
    at = int(backend.clock()) - ago_s
    timer(kind, target, at).save()
    return at


def row_of(kind: str, target: str) -> TimerRow:
    row = get(TimerRow, keys.timer(kind, target))
    assert row is not None
    return row


def test_a_due_timer_is_run_once_and_removed(backend: Backend) -> None:
    worker = Worker()
    at = armed(backend, PURGE, "1")

    turn = run(backend, purge=worker)

    assert worker.calls == [Due(PURGE, "1", at)]
    assert (turn.done, turn.is_all) == (1, True)
    assert turn.late_s >= 5
    assert rows_like(backend, "TIMER#") == []
    assert run(backend, purge=worker).is_idle


def test_a_timer_that_is_not_due_stays(backend: Backend) -> None:
    worker = Worker()
    at = armed(backend, PURGE, "1", ago_s=-60)

    assert run(backend, purge=worker).is_idle
    assert (worker.calls, due_at(PURGE, "1")) == ([], at)


def test_a_kind_without_an_owner_is_not_even_read(backend: Backend) -> None:
    push_image(backend, "v1")
    backend.clock.ahead_s += 2 * backend.settings.lease_s
    armed(backend, PURGE, "1")
    before = rows_like(backend, "TIMER#garbage")
    backend.calls.take()

    assert run(backend, purge=Worker()).done == 1
    assert backend.calls.take() == ["Query"] * 1 + registry_calls_after_a_find(backend, "1")
    assert rows_like(backend, "TIMER#garbage") == before != []


def registry_calls_after_a_find(backend: Backend, target: str) -> list[str]:
    """Returns the calls of a turn: one query for each shard, the claim and the removal, and two writes of the turn."""
    shard = int(keys.due(PURGE, target).rpartition("#")[2])
    return (
        ["Query"] * shard
        + ["UpdateItem", "PutItem", "DeleteItem"]
        + ["Query"] * (keys.SHARDS - 1 - shard)
        + ["PutItem"]
    )


def test_a_turn_without_work_costs_a_query_for_each_kind_and_shard(backend: Backend) -> None:
    backend.calls.take()

    run(backend, purge=Worker(), export=Worker())

    assert backend.calls.take() == ["Query"] * 2 * keys.SHARDS


def test_unfinished_work_continues_at_its_place_and_time(backend: Backend) -> None:
    now = int(backend.clock())
    worker = Worker(Later(now + 100, "half"), None)
    armed(backend, EXPORT, "1")

    assert run(backend, export=worker).later == 1
    assert due_at(EXPORT, "1") == now + 100
    assert run(backend, export=worker).is_idle
    backend.clock.ahead_s += 101
    assert run(backend, export=worker).done == 1
    assert [due.place for due in worker.calls] == ["", "half"]


def test_work_that_continues_at_once_runs_in_the_same_turn_or_the_next(backend: Backend) -> None:
    worker = Worker(Later(int(backend.clock()), "half"), None)
    armed(backend, EXPORT, "1")

    turns = [run(backend, export=worker), run(backend, export=worker)]

    assert sum(turn.done for turn in turns) == 1
    assert [due.place for due in worker.calls] == ["", "half"]


def test_a_failure_is_logged_waits_longer_each_time_and_delays_no_other_timer(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr(logger, "exception", lambda line, **fields: lines.append((line, fields)))
    broken, worker = Worker(ValueError("no")), Worker()
    armed(backend, PURGE, "1")
    armed(backend, EXPORT, "2")

    turn = run(backend, purge=broken, export=worker)

    assert (turn.failed, turn.done) == (1, 1)
    assert lines == [("timer failed", {"kind": PURGE, "target": "1", "tries": 1})]
    first = row_of(PURGE, "1")
    assert (first.tries, first.due_at - int(backend.clock())) in ((1, 15), (1, 14))
    backend.clock.ahead_s += 16
    run(backend, purge=broken)
    second = row_of(PURGE, "1")
    assert (second.tries, second.due_at - int(backend.clock())) in ((2, 30), (2, 29))
    assert [due.tries for due in broken.calls] == [0, 1]


def test_progress_resets_the_count_of_failures(backend: Backend) -> None:
    worker = Worker(ValueError("no"), Later(int(backend.clock()), "half"))
    armed(backend, PURGE, "1")
    run(backend, purge=worker)
    backend.clock.ahead_s += 16

    run(backend, purge=worker)

    assert (row_of(PURGE, "1").tries, row_of(PURGE, "1").place) == (0, "half")


def test_a_timer_that_is_armed_again_during_its_work_stays(backend: Backend) -> None:
    def work(due: Due, has_time: HasTime) -> None:
        # Even in the same second.
        timer(due.kind, due.target, due.due_at).save()

    at = armed(backend, GARBAGE, "1")

    assert run(backend, garbage=work).done == 0
    row = row_of(GARBAGE, "1")
    assert (row.due_at, row.place, row.tries) == (at, "", 0)


def test_a_timer_that_is_armed_again_is_not_moved_by_the_running_work(backend: Backend) -> None:
    for answer in (Later(1, "old"), ValueError("no")):

        def work(due: Due, has_time: HasTime, answer: Later | Exception = answer) -> Later | None:
            timer(due.kind, due.target, due.due_at).save()
            if isinstance(answer, Exception):
                raise answer
            return answer

        at = armed(backend, GARBAGE, "1")
        run(backend, garbage=work)

        assert (row_of(GARBAGE, "1").due_at, row_of(GARBAGE, "1").place) == (at, "")


def test_another_runner_does_not_take_a_running_timer(backend: Backend) -> None:
    worker = Worker()

    def work(due: Due, has_time: HasTime) -> None:
        assert run(backend, purge=worker).is_idle

    armed(backend, PURGE, "1")

    assert run(backend, purge=work).done == 1
    assert worker.calls == []


def test_one_of_two_runners_that_read_the_same_timer_runs_it(backend: Backend) -> None:
    worker = Worker()
    armed(backend, PURGE, "1")

    class Slow(TimerStore):
        """Runs another turn between the read and the claim."""

        def move(self, row: TimerRow, due_at: int, place: str, tries: int) -> bool:
            assert run(backend, purge=worker).done == 1
            return super().move(row, due_at, place, tries)

    turn = Timers(Slow(), {PURGE: worker}, backend.clock).run(lambda: LONG)

    assert (turn.done, turn.lost, len(worker.calls)) == (0, 1, 1)


def test_a_turn_that_crashes_at_any_call_leaves_its_timers_due_after_its_end(backend: Backend) -> None:
    done: set[str] = set()
    number = 0
    while True:
        number += 1
        target = f"crash-{number}"
        armed(backend, PURGE, target)

        def work(due: Due, has_time: HasTime) -> None:
            done.add(due.target)

        try:
            with crash_before(backend, number):
                run(backend, purge=work)
            break
        except Crash:
            backend.clock.ahead_s += LONG + 2
            run(backend, purge=work)
            assert target in done
            assert rows_like(backend, "TIMER#") == []
    assert number > keys.SHARDS + 2


def test_a_timer_that_kills_the_function_does_not_block_other_timers(backend: Backend) -> None:
    def deadly(due: Due, has_time: HasTime) -> None:
        raise Crash

    worker = Worker()
    armed(backend, PURGE, "deadly", ago_s=100)
    put_all(timer(EXPORT, str(number), int(backend.clock()) - 1) for number in range(20))

    for _ in range(2):
        try:
            run(backend, purge=deadly, export=worker)
        except Crash:
            continue
    assert len(worker.calls) == 20


def test_a_turn_ends_when_its_time_is_nearly_over(backend: Backend) -> None:
    left = [LONG]

    def work(due: Due, has_time: HasTime) -> None:
        assert has_time()
        left[0] = LEFT_S
        assert not has_time()

    for number in range(5):
        armed(backend, PURGE, str(number))

    turn = run(backend, lambda: left[0], purge=work)

    assert (turn.done, turn.is_all) == (1, False)
    assert len(rows_like(backend, "TIMER#")) == 4


def test_a_shard_with_many_timers_is_read_again_after_the_others(backend: Backend) -> None:
    worker = Worker()
    many = [str(number) for number in range(400)]
    put_all(timer(PURGE, target, int(backend.clock()) - 1) for target in many)
    armed(backend, EXPORT, "1", ago_s=0)
    order: list[str] = []

    def note(due: Due, has_time: HasTime) -> Later | None:
        order.append(due.kind)
        return worker(due, has_time)

    turn = run(backend, purge=note, export=note)

    assert (turn.done, turn.is_all) == (401, True)
    assert sorted(due.target for due in worker.calls if due.kind == PURGE) == sorted(many)
    assert order.index(EXPORT) < 300

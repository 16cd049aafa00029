"""A due timer is run at least once, whatever crashes, and unfinished work continues."""

import itertools
from collections.abc import Callable, Mapping

import pytest

from chalicelib.domain.timers import EXPIRY, EXPORT, GARBAGE, PURGE, Due, HasTime, Later, Work
from chalicelib.services.lifecycle import timers
from chalicelib.services.lifecycle.timers import AHEAD_S, LEFT_S, PAGE, SLICE_S, Timers, TimerTurn
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


def test_timers_of_a_kind_without_an_owner_are_left_alone_and_hide_no_others(backend: Backend) -> None:
    push_image(backend, "v1")
    backend.clock.ahead_s += 2 * backend.settings.lease_s
    armed(backend, PURGE, "1")
    before = rows_like(backend, "TIMER#garbage")
    backend.calls.take()

    assert run(backend, purge=Worker()).done == 1
    assert backend.calls.take() == ["Query"] * keys.SHARDS + ["UpdateItem", "PutItem", "DeleteItem", "PutItem"]
    assert rows_like(backend, "TIMER#garbage") == before != []

    put_all(timer(EXPORT, target, int(backend.clock()) - 9) for target in beside("1", 3 * PAGE))
    armed(backend, PURGE, "1", ago_s=1)
    assert run(backend, purge=Worker()).done == 1
    assert len(rows_like(backend, "TIMER#export")) == 3 * PAGE


def beside(target: str, count: int) -> list[str]:
    """Returns other targets whose timers are in the same shard."""
    numbers = (f"other-{number}" for number in itertools.count())
    shard = keys.due_timers(target)
    return list(itertools.islice((one for one in numbers if keys.due_timers(one) == shard), count))


def test_a_turn_without_work_costs_eight_queries_whatever_the_number_of_kinds(backend: Backend) -> None:
    armed(backend, PURGE, "1", ago_s=-3600)
    backend.calls.take()

    assert backend.services.lifecycle.timers.run(lambda: LONG).is_idle

    assert backend.calls.take() == ["Query"] * 8


def test_a_turn_says_when_the_next_timer_is_due_if_that_is_soon(backend: Backend) -> None:
    assert run(backend, purge=Worker(), export=Worker()).next_at is None
    armed(backend, PURGE, "1", ago_s=-AHEAD_S - 60)
    assert run(backend, purge=Worker(), export=Worker()).next_at is None
    armed(backend, PURGE, "2", ago_s=-AHEAD_S + 1)
    soon = armed(backend, EXPORT, "3", ago_s=-AHEAD_S + 2)

    turn = run(backend, purge=Worker(), export=Worker())

    assert (turn.next_at, turn.is_idle) == (soon, True)


@pytest.mark.parametrize("ago_s", [9, 5, 1])
def test_a_flood_of_garbage_delays_no_other_kind(backend: Backend, ago_s: int) -> None:
    now, order = int(backend.clock()), list[tuple[str, str]]()
    put_all(timer(GARBAGE, target, now - 5) for target in beside("1", 12 * PAGE))
    for kind in (EXPIRY, EXPORT, PURGE):
        armed(backend, kind, "1", ago_s)

    def note(due: Due, has_time: HasTime) -> None:
        order.append((due.kind, due.target))

    run(backend, lambda: LONG if len(order) < 12 else LEFT_S, garbage=note, expiry=note, export=note, purge=note)

    assert {kind for kind, _ in order[:8]} == {GARBAGE, EXPIRY, EXPORT, PURGE}
    assert [target for kind, target in order if kind != GARBAGE] == ["1"] * 3


def test_a_flood_behind_a_flood_delays_no_third_kind_and_gets_its_own_share(backend: Backend) -> None:
    now, order = int(backend.clock()), list[str]()
    targets = beside("1", 12 * PAGE)
    put_all([*(timer(GARBAGE, one, now - 90) for one in targets), *(timer(EXPORT, one, now - 50) for one in targets)])
    armed(backend, PURGE, "1", ago_s=2)

    def note(due: Due, has_time: HasTime) -> None:
        order.append(due.kind)

    run(backend, lambda: LONG if len(order) < 2 * PAGE else LEFT_S, garbage=note, export=note, purge=note)

    assert order[:3].count(PURGE) == 1
    assert [order.count(kind) for kind in (GARBAGE, EXPORT)] == [PAGE, PAGE - 1]


def test_looking_past_a_flood_takes_a_bounded_number_of_calls(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers, "LOOKS", 1)
    now, order, padding = int(backend.clock()), list[str](), "x" * 1500
    flood = [timer(GARBAGE, target, now - 60) for target in beside("1", 900)]
    for row in flood:
        row.place = padding
    put_all(flood)
    armed(backend, PURGE, "1", ago_s=1)
    backend.calls.take()

    def note(due: Due, has_time: HasTime) -> None:
        order.append(due.kind)

    run(backend, lambda: LONG if len(order) < 5 else LEFT_S, garbage=note, purge=note)

    assert PURGE in order
    assert backend.calls.take().count("Query") == keys.SHARDS + 1


def test_work_that_is_never_done_leaves_time_for_what_waits_and_continues_when_nothing_does(backend: Backend) -> None:
    times: list[float] = []

    def endless(due: Due, has_time: HasTime) -> Later | None:
        begun = backend.clock.ahead_s
        while has_time() and backend.clock.ahead_s - begun < 4 * SLICE_S:
            backend.clock.ahead_s += 1
        times.append(backend.clock.ahead_s - begun)
        return Later(int(backend.clock()), "half") if not due.place else None

    worker = Worker()
    armed(backend, EXPORT, "1", ago_s=9)
    armed(backend, PURGE, "2", ago_s=5)

    turn = run(backend, export=endless, purge=worker)

    assert (turn.later, turn.done, turn.is_all) == (1, 2, True)
    assert times == [SLICE_S, 4 * SLICE_S]


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

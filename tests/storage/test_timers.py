"""Storage of timers, found in all shards by the time they are due."""

from chalicelib.domain.digests import Digest
from chalicelib.domain.timers import EXPIRY, GARBAGE, PULLS, Due
from chalicelib.storage import keys
from chalicelib.storage.table import get, put_all
from chalicelib.storage.timers import TimerRow, TimerStore, TurnRow, garbage_timer, timer
from tests.support.backends import Backend
from tests.support.rows import rows_like

TARGETS = [keys.blob_target("1", Digest.of(bytes([number]))) for number in range(40)]


def due(backend: Backend, kind: str, until: int) -> set[str]:
    """Returns the targets of the due timers of a kind, with one query for each shard."""
    store = TimerStore()
    return {row.target for shard in keys.due_timers() for row in store.due(shard, [kind], until, 100)[0]}


def a_timer(due_at: int = 10) -> TimerRow:
    timer(GARBAGE, TARGETS[0], due_at).save()
    row = get(TimerRow, keys.timer(GARBAGE, TARGETS[0]))
    assert row is not None
    return row


def test_all_shards_together_have_exactly_the_due_timers(backend: Backend) -> None:
    put_all(timer(GARBAGE, target, number) for number, target in enumerate(TARGETS))

    assert due(backend, GARBAGE, 19) == set(TARGETS[:20])
    assert due(backend, GARBAGE, 100) == set(TARGETS)
    assert due(backend, EXPIRY, 100) == set()


def test_a_timer_that_is_written_again_is_due_only_at_the_new_time(backend: Backend) -> None:
    for moment in (10, 30):
        timer(GARBAGE, TARGETS[0], moment).save()

    assert due(backend, GARBAGE, 20) == set()
    assert due(backend, GARBAGE, 30) == {TARGETS[0]}
    assert len(rows_like(backend, "TIMER#")) == 1


def test_two_kinds_of_work_on_one_target_are_two_timers(backend: Backend) -> None:
    for kind in (GARBAGE, EXPIRY):
        timer(kind, TARGETS[0], 10).save()

    assert due(backend, GARBAGE, 10) == due(backend, EXPIRY, 10) == {TARGETS[0]}


def test_a_timer_never_has_a_time_to_live(backend: Backend) -> None:
    timer(GARBAGE, TARGETS[0], 10).save()

    assert "expires_at" not in rows_like(backend, "TIMER#")[0]


def test_the_oldest_timers_come_first_up_to_a_limit(backend: Backend) -> None:
    (shard,) = keys.due_timers("0")
    same = [str(number) for number in range(200) if keys.due_timers(str(number)) == [shard]]
    put_all(timer(GARBAGE, target, 1000 - number) for number, target in enumerate(same))

    rows, may_be_more = TimerStore().due(shard, [GARBAGE, EXPIRY], 2000, 3)

    assert ([row.target for row in rows], may_be_more) == (same[:-4:-1], True)
    assert TimerStore().due(shard, [GARBAGE], 2000, 100)[1] is False
    newest = list(TimerStore().newest_due(shard, [GARBAGE], 999, 1))
    assert [row.target for row in newest] == same[1:]
    assert list(TimerStore().newest_due(shard, [EXPIRY], 2000, 1)) == []


def test_timers_of_all_kinds_of_a_target_are_in_one_shard_and_read_together(backend: Backend) -> None:
    put_all(timer(kind, "1", 10) for kind in (GARBAGE, EXPIRY, PULLS))
    backend.calls.take()

    (shard,) = keys.due_timers("1")
    rows, _ = TimerStore().due(shard, [GARBAGE, EXPIRY], 10, 100)

    assert sorted(row.kind for row in rows) == [EXPIRY, GARBAGE]
    assert backend.calls.take() == ["Query"]


def test_a_moved_timer_is_due_at_its_new_time_and_keeps_its_progress(backend: Backend) -> None:
    row = a_timer()

    assert TimerStore().move(row, 20, "half", 2)

    assert due(backend, GARBAGE, 10) == set()
    assert row.work == Due(GARBAGE, TARGETS[0], 20, "half", 2)
    assert TimerStore().end(row)
    assert rows_like(backend, "TIMER#") == []


def test_a_timer_that_was_written_again_is_neither_moved_nor_removed_by_an_earlier_reader(backend: Backend) -> None:
    row, store = a_timer(), TimerStore()
    newer = a_timer()

    assert (store.move(row, 20, "half", 1), store.end(row)) == (False, False)

    assert due(backend, GARBAGE, 10) == {TARGETS[0]}
    assert store.end(newer)
    assert (store.move(newer, 20, "", 0), store.end(newer)) == (False, False)
    assert rows_like(backend, "TIMER#") == []


def test_due_timers_are_counted_over_all_shards_up_to_a_limit(backend: Backend) -> None:
    put_all(timer(GARBAGE, target, number) for number, target in enumerate(TARGETS))
    put_all(timer(EXPIRY, target, 30) for target in TARGETS)
    store = TimerStore()

    assert [store.count(GARBAGE, 19, most) for most in (100, 5)] == [20, 5]
    assert store.count(EXPIRY, 19, 100) == 0


def test_a_run_of_the_timer_job_lasts_from_its_beginning_to_its_end(backend: Backend) -> None:
    store = TimerStore()
    assert store.turn() is None
    for ended_at, is_running in ((0, True), (10, False)):
        store.note(TurnRow.under(keys.turn(), began_at=10, ended_at=ended_at))
        row = store.turn()
        assert row is not None
        assert row.is_running is is_running


def test_timers_of_kept_content_are_listed_by_time_of_death_page_by_page(backend: Backend) -> None:
    put_all(garbage_timer("1", target, 100 - number, 60) for number, target in enumerate(TARGETS[:5]))
    timer(GARBAGE, TARGETS[9], 10).save()
    store = TimerStore()

    first = store.dead("1", "", 3)
    rest = store.dead("1", first[-1].view_at or "", 3)

    assert [row.due_at - 60 for row in [*first, *rest]] == [96, 97, 98, 99, 100]
    assert [keys.died_at(row.view_at or "") for row in first] == [96, 97, 98]
    assert store.dead("2", "", 3) == []

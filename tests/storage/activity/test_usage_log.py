"""Storage of the usage log: records of changes, of pulls, and their counts."""

import json

import pytest

from chalicelib.domain.events import PULL, PUSH, Event
from chalicelib.domain.ids import ulid
from chalicelib.domain.log_cursors import day_of, earliest, number_of, past, position_of
from chalicelib.domain.pulls import due_at
from chalicelib.storage import keys
from chalicelib.storage.activity.usage_log import (
    LogPartition,
    UsageLogStore,
    runs_of_everybody,
    runs_of_namespace,
    runs_of_repository,
)
from chalicelib.storage.keys.timer_targets import HourTarget, read_target
from chalicelib.storage.table import Transaction, WriteConflict, absent
from chalicelib.storage.timers import timer
from tests.support.backends import Backend
from tests.support.rows import events, rows_like

STORE = UsageLogStore(retention_s=1000)
AT = 1_700_000_000.75


def an_event(kind: str = PUSH, repository_id: str | None = "r") -> Event:
    return Event(ulid(AT), AT, kind, "n", repository_id, "admin", "10.0.0.1", {"tags": ["v1", "\u00e4"]})


def record(event: Event) -> None:
    transaction = Transaction()
    STORE.record(transaction, event)
    transaction.commit()


def test_a_record_has_all_of_its_event_and_expires_after_the_retention(backend: Backend) -> None:
    event = an_event()
    record(event)
    (row,) = rows_like(backend, "LOG#R#")

    assert (row["pk"], row["sk"]) == ("LOG#R#r#c", event.id)
    assert (row["view"], row["view_at"]) == ("LOG#N#n#c", event.id)
    assert row["due"] in keys.due_logs("c")
    assert row["due_at"] == number_of(event.id)
    assert (row["kind"], row["performer"], row["address"], row["version"]) == (PUSH, "admin", "10.0.0.1", 1)
    assert (row["at"], row["expires_at"]) == (int(AT), int(AT) + 1000)
    assert json.loads(row["metadata"]) == {"tags": ["v1", "\u00e4"]}


def test_a_record_without_a_repository_is_stored_under_its_namespace(backend: Backend) -> None:
    record(an_event(repository_id=None))
    (row,) = rows_like(backend, "LOG#N#n#")

    assert row["pk"] == row["view"] == "LOG#N#n#c"
    assert "repository_id" not in row


def test_an_event_of_a_failed_transaction_is_not_recorded(backend: Backend) -> None:
    timer("garbage", "x", 1).save()
    transaction = Transaction()
    STORE.record(transaction, an_event())
    transaction.put(timer("garbage", "x", 2), absent())

    with pytest.raises(WriteConflict):
        transaction.commit()
    assert rows_like(backend, "LOG#R#") == []


def test_pulls_are_stored_apart_from_changes_and_repeated_writes_add_none(backend: Backend) -> None:
    pulls = [an_event(PULL) for _ in range(60)]
    backend.calls.take()
    STORE.write_pulls(pulls)
    assert backend.calls.take() == ["BatchWriteItem"] * 3
    STORE.write_pulls(pulls)
    record(an_event())

    assert len(events(backend, PULL)) == 60
    assert {row["pk"] for row in events(backend, PULL)} == {"LOG#R#r#p"}


def ids_of(run: LogPartition, first: str = earliest(0), last: str = earliest(2**36), page: int = 7) -> list[str]:
    return [row.sk for row in STORE.newest(run, last, first, page)]


def write(count: int, kind: str, namespace: str, repository: str | None) -> list[str]:
    """Writes records of one millisecond and returns their ULIDs, newest first."""
    events_to_write = [Event(ulid(AT), AT, kind, namespace, repository, "admin", "", {}) for _ in range(count)]
    if kind == PULL:
        STORE.write_pulls(events_to_write)
    else:
        for event in events_to_write:
            record(event)
    return sorted((event.id for event in events_to_write), reverse=True)


def test_records_are_read_newest_first_by_repository_by_namespace_and_all(backend: Backend) -> None:
    pulls, changes = write(30, PULL, "n", "r"), write(5, PUSH, "n", "r")
    created, foreign = write(1, "create_robot", "n", None), write(3, PULL, "other", "s")

    assert [ids_of(run) for run in runs_of_repository("r")] == [changes, pulls]
    assert [ids_of(run) for run in runs_of_namespace("n")] == [sorted(changes + created, reverse=True), pulls]
    everybody = [identifier for run in runs_of_everybody() for identifier in ids_of(run) if run.index == "due"]
    assert {*pulls, *changes, *created, *foreign} <= set(everybody)


@pytest.mark.parametrize("runs", [runs_of_repository("r"), runs_of_namespace("n")], ids=["table", "index"])
def test_a_range_of_records_includes_both_ends(backend: Backend, runs: list[LogPartition]) -> None:
    pulls = write(12, PULL, "n", "r")

    assert ids_of(runs[1], first=pulls[9], last=pulls[2]) == pulls[2:10]
    assert [position for position, _, _ in STORE.kinds(runs[1], pulls[9], pulls[2])] == pulls[2:10][::-1]


def test_the_index_distinguishes_records_of_one_millisecond(backend: Backend) -> None:
    """The numbers have 37 digits. A table that rounded them would lose records."""
    pulls = write(20, PULL, "n", "r")
    (run,) = [run for run in runs_of_everybody() if run.partition == keys.due_logs("p", "n")[0]]
    positions = [position for position in ids_of(run, pulls[10], pulls[9]) if position in pulls]

    assert positions == pulls[9:11]


def test_counts_are_kept_as_long_as_records(backend: Backend) -> None:
    run, upto = LogPartition("LOG#N#n#p", "view"), position_of(number_of(ulid(AT)))
    STORE.keep_counted(run, {day_of(upto): (upto, {PULL: 3}), "2023-11-20": (upto, {})})

    assert STORE.counted(run, "2023-11-14", "2023-11-19") == {"2023-11-14": (upto, {PULL: 3})}
    (row,) = rows_like(backend, "COUNT#", "2023-11-14")
    assert row["expires_at"] == 1_700_006_400 + 1000


def test_pulls_are_written_with_the_timers_that_count_them(backend: Backend) -> None:
    hour = int(AT) // 3600 * 3600
    for _ in range(2):
        STORE.write_pulls([an_event(PULL)], [("r", hour)])
        (row,) = rows_like(backend, "TIMER#")
        assert (row["kind"], row["target"], row["due_at"]) == ("pulls", keys.hour_target("r", hour), due_at("r", hour))
    assert read_target(row["target"]) == HourTarget("r", hour)


def test_a_page_of_pulls_takes_one_call_and_has_the_references_of_each(backend: Backend) -> None:
    for number, metadata in enumerate([{"reference": "v1", "manifest_digest": "sha256:a"}, {"reference": "sha256:b"}]):
        event = Event(ulid(AT + number), AT + number, PULL, "n", "r", "admin", "", metadata)
        STORE.write_pulls([event])
    backend.calls.take()
    first, is_all = STORE.pulls("r", earliest(0), earliest(AT + 10), 1)
    assert (len(first), is_all) == (1, False)
    rest, is_all = STORE.pulls("r", past(first[0].position), earliest(AT + 10), 2)

    assert (len(rest), is_all) == (1, True)
    assert [(pull.at, pull.references) for pull in (*first, *rest)] == [
        (int(AT), ("v1", "sha256:a")),
        (int(AT) + 1, ("sha256:b",)),
    ]
    assert backend.calls.take() == ["Query", "Query"]

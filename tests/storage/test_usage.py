"""The usage log and the outbox: in the transaction of what happened, and twice is once."""

import json

import pytest

from chalicelib.domain.events import DELETE_TAG, PULL, PUSH, Event
from chalicelib.domain.ids import ulid
from chalicelib.storage.table import LostRace, Transaction, absent
from chalicelib.storage.timers import timer
from chalicelib.storage.usage import UsageStore
from tests.houses import House
from tests.rows import events, rows_like

STORE = UsageStore(retention_s=1000)
AT = 1_700_000_000.75


def an_event(kind: str = PUSH, repository_id: str | None = "r") -> Event:
    return Event(ulid(AT), AT, kind, "n", repository_id, "admin", "10.0.0.1", {"tags": ["v1", "\u00e4"]})


def record(event: Event, waits: set[str] | None = None) -> None:
    transaction = Transaction()
    STORE.record(transaction, event, waits)
    transaction.commit()


def test_a_record_says_all_of_its_event_for_as_long_as_records_stay(house: House) -> None:
    event = an_event()
    record(event)
    (row,) = rows_like(house, "LOG#R#")

    assert (row["pk"], row["sk"]) == ("LOG#R#r#2023-11-14#c", event.id)
    assert (row["view"], row["view_at"]) == (row["pk"], row["sk"])
    assert (row["kind"], row["performer"], row["address"], row["version"]) == (PUSH, "admin", "10.0.0.1", 1)
    assert (row["at"], row["expires_at"]) == (int(AT), int(AT) + 1000)
    assert json.loads(row["metadata"]) == {"tags": ["v1", "\u00e4"]}


def test_a_record_without_a_repository_lies_under_its_namespace(house: House) -> None:
    record(an_event(repository_id=None))
    (row,) = rows_like(house, "LOG#N#n#")

    assert row["pk"] == "LOG#N#n#2023-11-14#c"
    assert "repository_id" not in row


def test_what_did_not_happen_is_not_recorded(house: House) -> None:
    timer("garbage", "x", 1).save()
    transaction = Transaction()
    STORE.record(transaction, an_event(), {"repo_push"})
    transaction.put(timer("garbage", "x", 2), absent())

    with pytest.raises(LostRace):
        transaction.commit()
    assert rows_like(house, "LOG#R#") == rows_like(house, "OUT#") == []


@pytest.mark.parametrize(
    ("kind", "waits", "expected"),
    [
        (PUSH, {"repo_push", "other"}, 1),
        (PUSH, {"other"}, 0),
        (PUSH, set(), 0),
        (PUSH, None, 0),
        (DELETE_TAG, {"repo_push"}, 0),
    ],
    ids=lambda value: "+".join(sorted(value)) if isinstance(value, set) else str(value),
)
def test_the_outbox_gets_an_event_only_when_someone_waits_for_it(
    house: House, kind: str, waits: set[str] | None, expected: int
) -> None:
    event = an_event(kind)
    record(event, waits)
    found = rows_like(house, "OUT#")

    assert len(found) == expected
    for row in found:
        assert (row["pk"], row["kind"], row["due_at"]) == (f"OUT#{event.id}", "repo_push", int(AT))
        assert row["due"].startswith("outbox#")
        assert "expires_at" not in row
        assert json.loads(row["event"])["metadata"] == {"tags": ["v1", "\u00e4"]}


def test_pulls_lie_apart_from_changes_and_one_written_twice_is_one(house: House) -> None:
    pulls = [an_event(PULL) for _ in range(60)]
    house.calls.take()
    STORE.write_pulls(pulls)
    assert house.calls.take() == ["BatchWriteItem"] * 3
    STORE.write_pulls(pulls)
    record(an_event())

    assert len(events(house, PULL)) == 60
    assert {row["pk"] for row in events(house, PULL)} == {"LOG#R#r#2023-11-14#p#0"}

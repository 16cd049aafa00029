"""The job `dispatch`, called as Lambda calls it with records of the table's stream."""

from collections.abc import Mapping
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer

from chalicelib.edge.jobs import dispatch
from chalicelib.storage import keys
from chalicelib.storage.registry.tags import TagRow
from tests.support import invariants
from tests.support.backends import House
from tests.support.builders import a_push
from tests.support.rows import due_at, events, remove, repository_of, rows_like
from tests.support.sweeping import WINDOW_S, later, sweep

TTL = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
TWO_HOURS = {"quay.expires-after": "2h"}


@pytest.fixture
def house(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house whose stream the job reads."""
    monkeypatch.setattr(dispatch, "services", lambda: house.services)
    return house


def record(number: int, row: Mapping[str, Any], name: str = "REMOVE", by: Mapping[str, str] | None = TTL) -> Any:
    """A record of the stream's real shape.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
    """
    image = {key: TypeSerializer().serialize(value) for key, value in row.items() if value is not None}
    told = {
        "eventID": f"{number:032x}",
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1796000000.0,
            "Keys": {"pk": image["pk"], "sk": image["sk"]},
            "NewImage" if name == "INSERT" else "OldImage": image,
            "SequenceNumber": f"{number:021d}",
            "SizeBytes": 300,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": "arn:aws:dynamodb:eu-central-1:123456789012:table/registry/stream/2030-01-01T00:00:00.000",
    }
    return told | ({"userIdentity": dict(by)} if by else {})


def told(*records: Any) -> list[str]:
    """Gives the job a batch; the numbers of those that failed."""
    answer = dispatch.dispatch({"Records": list(records)}, None)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def a_removed_tag(house: House) -> dict[str, Any]:
    """A tag whose time is up and that the TTL service has removed: its item as it was."""
    a_push(house, "v1", labels=TWO_HOURS)
    later(house, 7200 + 1)
    (row,) = rows_like(house, "R#", "TAG#v1")
    remove(TagRow, keys.tag(repository_of(house).id, "v1"))
    return dict(row)


def test_a_tag_that_the_ttl_service_removed_has_expired_and_its_manifest_waits_for_the_window(house: House) -> None:
    row = a_removed_tag(house)

    assert told(record(1, row)) == []

    (entry,) = events(house, "tag_expired")
    assert entry["at"] == row["expires_at"]
    target = keys.manifest_target(repository_of(house).id, row["digest"])
    assert due_at("garbage", target) == row["expires_at"] + WINDOW_S
    invariants.check(house)


def test_a_record_that_comes_again_or_after_the_timer_changes_nothing(house: House) -> None:
    row = a_removed_tag(house)
    sweep(house)

    assert told(record(1, row), record(1, row)) == []

    assert len(events(house, "tag_expired")) == 1
    invariants.check(house)


def test_a_record_that_comes_after_another_push_leaves_the_new_tag_alone(house: House) -> None:
    row = a_removed_tag(house)
    a_push(house, "v1", labels=TWO_HOURS)

    assert told(record(2, row)) == []

    (tag,) = rows_like(house, "R#", "TAG#v1")
    assert tag["life"] != row["life"]
    assert [entry["at"] for entry in events(house, "tag_expired")] == [row["expires_at"]]
    invariants.check(house)


def test_a_record_that_comes_before_its_second_is_left_to_the_timer(house: House) -> None:
    a_push(house, "v1", labels=TWO_HOURS)
    (row,) = rows_like(house, "R#", "TAG#v1")

    assert told(record(1, row)) == []
    assert events(house, "tag_expired") == []
    assert len(rows_like(house, "R#", "TAG#v1")) == 1


@pytest.mark.parametrize(
    "changes",
    [{"by": None}, {"name": "MODIFY"}, {"name": "INSERT", "by": None}, {"by": {"type": "Service", "principalId": "x"}}],
    ids=["deleted by a call", "changed", "made", "another service"],
)
def test_what_is_no_removal_by_the_ttl_service_passes(house: House, changes: dict[str, Any]) -> None:
    row = a_removed_tag(house)

    assert told(record(1, row, **changes)) == []
    assert events(house, "tag_expired") == []


def test_what_else_the_ttl_service_removes_passes(house: House) -> None:
    a_removed_tag(house)
    others = [*rows_like(house, "R#", "LIFE#"), {"pk": "TOKEN#abc", "sk": "META", "expires_at": 5}]
    house.calls.take()

    assert told(*(record(number, row) for number, row in enumerate(others))) == []
    assert house.calls.take() == []


def test_what_fails_is_named_and_the_others_of_its_batch_are_done(house: House) -> None:
    row = a_removed_tag(house)
    torn = record(1, row)
    del torn["dynamodb"]["OldImage"]

    assert told(torn, record(2, row)) == [f"{1:021d}"]
    assert len(events(house, "tag_expired")) == 1

"""The job `dispatch`, called as Lambda calls it with records of the table's stream."""

from collections.abc import Mapping
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer

from chalicelib.edge.jobs import dispatch
from chalicelib.storage import keys
from chalicelib.storage.registry.tags import TagRow
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import push_image
from tests.support.rows import due_at, events, remove, repository_of, rows_like
from tests.support.sweeping import WINDOW_S, advance_clock, sweep

TTL = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
TWO_HOURS = {"quay.expires-after": "2h"}


@pytest.fixture
def backend(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Backend:
    """Returns a backend whose stream the job reads."""
    monkeypatch.setattr(dispatch, "services", lambda: backend.services)
    return backend


def record(number: int, row: Mapping[str, Any], name: str = "REMOVE", by: Mapping[str, str] | None = TTL) -> Any:
    """Returns a record in the real shape of the stream's records.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
    """
    image = {key: TypeSerializer().serialize(value) for key, value in row.items() if value is not None}
    event = {
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
    return event | ({"userIdentity": dict(by)} if by else {})


def failed_numbers(*records: Any) -> list[str]:
    """Calls the job with a batch and returns the numbers of the records that failed."""
    answer = dispatch.dispatch({"Records": list(records)}, None)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def a_removed_tag(backend: Backend) -> dict[str, Any]:
    """Returns the item of an expired tag that the TTL service has removed."""
    push_image(backend, "v1", labels=TWO_HOURS)
    advance_clock(backend, 7200 + 1)
    (row,) = rows_like(backend, "R#", "TAG#v1")
    remove(TagRow, keys.tag(repository_of(backend).id, "v1"))
    return dict(row)


def test_a_tag_that_the_ttl_service_removed_has_expired_and_its_manifest_waits_for_the_window(backend: Backend) -> None:
    row = a_removed_tag(backend)

    assert failed_numbers(record(1, row)) == []

    (entry,) = events(backend, "tag_expired")
    assert entry["at"] == row["expires_at"]
    target = keys.manifest_target(repository_of(backend).id, row["digest"])
    assert due_at("garbage", target) == row["expires_at"] + WINDOW_S
    invariants.check(backend)


def test_a_repeated_or_late_record_changes_nothing(backend: Backend) -> None:
    row = a_removed_tag(backend)
    sweep(backend)

    assert failed_numbers(record(1, row), record(1, row)) == []

    assert len(events(backend, "tag_expired")) == 1
    invariants.check(backend)


def test_a_record_after_another_push_leaves_the_new_tag_alone(backend: Backend) -> None:
    row = a_removed_tag(backend)
    push_image(backend, "v1", labels=TWO_HOURS)

    assert failed_numbers(record(2, row)) == []

    (tag,) = rows_like(backend, "R#", "TAG#v1")
    assert tag["life"] != row["life"]
    assert [entry["at"] for entry in events(backend, "tag_expired")] == [row["expires_at"]]
    invariants.check(backend)


def test_a_record_before_the_tag_s_end_is_left_to_the_timer(backend: Backend) -> None:
    push_image(backend, "v1", labels=TWO_HOURS)
    (row,) = rows_like(backend, "R#", "TAG#v1")

    assert failed_numbers(record(1, row)) == []
    assert events(backend, "tag_expired") == []
    assert len(rows_like(backend, "R#", "TAG#v1")) == 1


@pytest.mark.parametrize(
    "changes",
    [{"by": None}, {"name": "MODIFY"}, {"name": "INSERT", "by": None}, {"by": {"type": "Service", "principalId": "x"}}],
    ids=["deleted by a call", "changed", "made", "another service"],
)
def test_records_that_are_not_removals_by_the_ttl_service_are_ignored(
    backend: Backend, changes: dict[str, Any]
) -> None:
    row = a_removed_tag(backend)

    assert failed_numbers(record(1, row, **changes)) == []
    assert events(backend, "tag_expired") == []


def test_other_items_that_the_ttl_service_removes_are_ignored(backend: Backend) -> None:
    a_removed_tag(backend)
    others = [*rows_like(backend, "R#", "LIFE#"), {"pk": "TOKEN#abc", "sk": "META", "expires_at": 5}]
    backend.calls.take()

    assert failed_numbers(*(record(number, row) for number, row in enumerate(others))) == []
    assert backend.calls.take() == []


def test_a_failed_record_is_named_and_the_others_of_its_batch_are_handled(backend: Backend) -> None:
    row = a_removed_tag(backend)
    torn = record(1, row)
    del torn["dynamodb"]["OldImage"]

    assert failed_numbers(torn, record(2, row)) == [f"{1:021d}"]
    assert len(events(backend, "tag_expired")) == 1

"""The local stack plays the table's stream, with filters, batches and retries."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from infra.local.mappings import Record, Records
from infra.local.stream import MAPPING, TableStream, as_sent, filters, listener, passes
from infra.local.timetolive import SERVICE

EVERYTHING: list[dict[str, Any]] = [{}]


class Function:
    """A function that records its batches and reports records as failed, or raises an error."""

    def __init__(self, bad: Iterable[str] = (), *, breaks: bool = False) -> None:
        self.bad, self.breaks = set(bad), breaks
        self.batches: list[list[str]] = []

    def __call__(self, event: Mapping[str, Any], _: object) -> dict[str, Any]:
        numbers = [record["dynamodb"]["SequenceNumber"] for record in event["Records"]]
        self.batches.append(numbers)
        failed = [number for number in numbers if number in self.bad]
        if failed and self.breaks:
            raise ValueError("no")
        return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}


def a_record(number: str = "1", **changes: Any) -> Record:
    """Returns the record of a tag that the TTL service removed."""
    keys = {"pk": {"S": "R#1"}, "sk": {"S": "TAG#v1"}}
    change = {"Keys": keys, "SequenceNumber": number}
    return {"eventName": "REMOVE", "userIdentity": SERVICE, "dynamodb": change} | changes


def records(numbers: str) -> Records:
    return [a_record(number) for number in numbers]


def a_stream(function: Function, numbers: str, batch_size: int = 100) -> TableStream:
    """Makes a stream in which these records wait."""
    stream = TableStream(function, EVERYTHING, batch_size)
    for record in records(numbers):
        stream.add(record)
    return stream


def test_records_arrive_in_order_and_in_batches_of_the_configured_size() -> None:
    function = Function()
    stream = a_stream(function, "abcde", batch_size=2)

    assert not stream.is_done
    stream.deliver()

    assert stream.is_done
    assert function.batches == [["a", "b"], ["c", "d"], ["e"]]


def test_a_reported_record_is_retried_before_the_records_behind_it() -> None:
    function = Function("b")
    stream = a_stream(function, "abcd", batch_size=2)

    stream.deliver()
    assert not stream.is_done
    function.bad.clear()
    function.batches.clear()
    stream.deliver()

    assert stream.is_done
    assert function.batches == [["b"], ["c", "d"]]


@pytest.mark.parametrize("breaks", [False, True], ids=["by report", "by exception"])
def test_a_record_that_always_fails_is_logged_and_given_up_and_all_others_are_processed(
    breaks: bool, caplog: pytest.LogCaptureFixture
) -> None:
    function = Function("b", breaks=breaks)
    stream = a_stream(function, "abcd")

    turns = 0
    while not stream.is_done:
        turns += 1
        stream.deliver()

    alone = [batch for batch in function.batches if batch == ["b"]]
    assert turns == MAPPING["MaximumRetryAttempts"] + 1
    assert len(alone) == turns
    assert {number for batch in function.batches if not set(batch) & function.bad for number in batch} >= set("cd")
    (line,) = [entry.getMessage() for entry in caplog.records if entry.getMessage().startswith("given up")]
    assert "TAG#v1" in line


def test_a_record_that_passes_no_filter_is_dropped() -> None:
    function = Function()
    stream = TableStream(function, filters(), 100)

    for record in WAKES_NOBODY.values():
        stream.add(record)
    stream.add(a_record())
    stream.deliver()

    assert function.batches == [["1"]]


WAKES_NOBODY = {
    "a call": {name: value for name, value in a_record().items() if name != "userIdentity"},
    "another service": a_record(userIdentity={"type": "Service", "principalId": "replication.dynamodb.amazonaws.com"}),
    "no removal": a_record(eventName="MODIFY"),
    "a life": a_record(dynamodb={"Keys": {"pk": {"S": "R#1"}, "sk": {"S": "LIFE#v1#1"}}, "SequenceNumber": "1"}),
    "no tag of a repository": a_record(dynamodb={"Keys": {"pk": {"S": "TAG#"}, "sk": {"S": "META"}}}),
    "a number": a_record(dynamodb={"Keys": {"sk": {"N": "1"}}}),
}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({"a": {"b": ["x", "y"]}}, True),
        ({"a": {"b": ["x"]}}, False),
        ({"a": {"b": [{"prefix": "y"}]}}, True),
        ({"a": {"b": [{"prefix": "yy"}]}}, False),
        ({"a": {"b": ["y"], "c": ["y"]}}, False),
        ({"a": {"b": {"c": ["y"]}}}, False),
        ({}, True),
    ],
)
def test_a_pattern_is_read_as_lambda_reads_it(pattern: dict[str, Any], expected: bool) -> None:
    assert passes({"a": {"b": "y"}}, pattern) is expected


@pytest.mark.parametrize("rule", [{"exists": True}, {"prefix": "y", "suffix": "z"}, {"prefix": 1}, 5])
def test_an_unknown_rule_is_refused(rule: object) -> None:
    with pytest.raises(ValueError, match="values and prefixes"):
        passes({"a": "b"}, {"a": [rule]})


def test_an_event_is_sent_as_json() -> None:
    sent = as_sent([a_record(dynamodb={"OldImage": {"sealed": {"B": b"\xff\x00"}}})])

    assert sent["Records"][0]["dynamodb"] == {"OldImage": {"sealed": {"B": "/wA="}}}


def test_the_apps_own_function_gets_the_records(monkeypatch: pytest.MonkeyPatch) -> None:
    from chalicelib.edge.jobs import dispatch

    stream = listener()

    assert (stream._function, stream._batch_size, stream._filters) == (dispatch.dispatch, 100, filters())

"""The rules of a mapping apply when its function fails."""

import json
from typing import Any

import pytest

from infra.local.mappings import MappingRules, PendingWork, Records, Result


def records(*numbers: int) -> Records:
    return [{"dynamodb": {"SequenceNumber": str(number)}} for number in numbers]


class Function:
    """A function that records its batches and fails for a batch with one of the bad numbers."""

    def __init__(self, *bad: int) -> None:
        self.bad = {str(number) for number in bad}
        self.batches: list[list[str]] = []
        self.lost: list[list[str]] = []

    def invoke(self, batch: Records) -> Result:
        self.batches.append(numbers(batch))
        return {"body": "{}", "error": True} if self.bad & set(numbers(batch)) else {"body": "{}"}

    def give_up(self, batch: Records, _result: Result) -> None:
        self.lost.append(numbers(batch))

    def run(self, work: PendingWork, **settings: Any) -> bool:
        """Tells whether all records are processed."""
        return not MappingRules(settings, self.invoke, self.give_up).run(work).get("error")


def numbers(batch: Records) -> list[str]:
    return [record["dynamodb"]["SequenceNumber"] for record in batch]


def test_records_that_join_a_failed_batch_are_sent_separately_and_once() -> None:
    function, work = Function(2), PendingWork()

    work.meet(records(1, 2))
    done = [function.run(work)]
    work.meet(records(1, 2, 3))
    function.bad.clear()
    done.append(function.run(work))

    assert done == [False, True]
    assert function.batches == [["1", "2"], ["1", "2"], ["3"]]


def test_records_that_left_the_stream_are_not_retried() -> None:
    function, work = Function(1), PendingWork()

    work.meet(records(1, 2))
    function.run(work)
    work.meet(records(2))
    function.run(work)

    assert function.batches == [["1", "2"], ["2"]]


@pytest.mark.parametrize("limit", [None, -1])
def test_without_a_limit_nothing_is_given_up(limit: int | None) -> None:
    function, work = Function(1), PendingWork()
    work.meet(records(1))

    assert not any(function.run(work, MaximumRetryAttempts=limit) for _ in range(5))
    assert (len(function.batches), function.lost) == (5, [])


def test_without_a_retry_the_first_failure_is_the_last() -> None:
    function, work = Function(1), PendingWork()
    work.meet(records(1, 2))

    assert function.run(work, MaximumRetryAttempts=0)
    assert function.lost == [["1", "2"]]


@pytest.mark.parametrize("identifier", ["", None, "of another batch"])
def test_a_report_of_an_unknown_record_fails_the_whole_batch(identifier: str | None) -> None:
    body = json.dumps({"batchItemFailures": [{"itemIdentifier": identifier}]})
    lost: list[list[str]] = []
    settings = {"FunctionResponseTypes": ["ReportBatchItemFailures"], "MaximumRetryAttempts": 0}
    work = PendingWork()
    work.meet(records(1, 2))

    MappingRules(settings, lambda _: {"body": body}, lambda batch, _: lost.append(numbers(batch))).run(work)

    assert lost == [["1", "2"]]


@pytest.mark.parametrize("body", [None, b"", "null", "{}", '{"batchItemFailures": null}', '{"batchItemFailures": []}'])
def test_an_answer_that_reports_nothing_is_success(body: Any) -> None:
    work = PendingWork()
    work.meet(records(1, 2))

    result = MappingRules(
        {"FunctionResponseTypes": ["ReportBatchItemFailures"]}, lambda _: {"body": body}, lambda *_: pytest.fail("lost")
    ).run(work)

    assert not result.get("error")

"""What becomes of a stream's records that a function cannot take."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.local.ministack.emulator import Emulator
from infra.local.ministack.repairs.streams import Records, Result, Rules, Work
from tests.emulation import Cloud, Ledger, unique
from tests.stack import wait_for

# Writes down which rows it got, and fails for those called `bad`: by an exception, or by a report.
CODE = """
import json, os

def handler(event, context):
    records = event["Records"]
    keys = [record["dynamodb"]["Keys"]["sk"]["S"] for record in records]
    with open(os.environ["LEDGER"], "a") as ledger:
        ledger.write(json.dumps(keys) + "\\n")
    if os.environ["FAILS"] == "by exception" and "bad" in keys:
        raise ValueError("bad")
    bad = [record["dynamodb"]["SequenceNumber"] for record, key in zip(records, keys) if key == "bad"]
    return {"batchItemFailures": [{"itemIdentifier": number} for number in bad]}
"""


def mapped(cloud: Cloud, ledger: Ledger, fails: str, *rows: str, **settings: Any) -> str:
    """Maps a table with these rows to a function, a batch of all of them first; the queue of what is given up."""
    table, stream = cloud.table()
    cloud.put(table, *rows)
    queue = cloud.sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
    attributes = cloud.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    cloud.lambda_.create_event_source_mapping(
        EventSourceArn=stream,
        FunctionName=cloud.function(CODE, LEDGER=str(ledger.path), FAILS=fails),
        StartingPosition="TRIM_HORIZON",
        DestinationConfig={"OnFailure": {"Destination": attributes["QueueArn"]}},
        **settings,
    )
    return str(queue)


def given_up(cloud: Cloud, queue: str) -> list[tuple[str, int]]:
    """Why, and how many records at once."""
    messages = cloud.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    told = [json.loads(message["Body"]) for message in messages]
    return [(one["requestContext"]["condition"], one["DDBStreamBatchInfo"]["batchSize"]) for one in told]


def test_a_reported_record_is_tried_again_with_all_that_follow_it(
    cloud: Cloud, ledger: Ledger, patience_s: float
) -> None:
    settings = {"FunctionResponseTypes": ["ReportBatchItemFailures"], "MaximumRetryAttempts": 1}

    queue = mapped(cloud, ledger, "by report", "a", "bad", "c", **settings)

    wait_for(lambda: len(ledger.lines()) == 2, "the second attempt", patience_s)
    assert ledger.lines() == [["a", "bad", "c"], ["bad", "c"]]
    wait_for(lambda: given_up(cloud, queue) == [("RetryAttemptsExhausted", 2)], "the queue", patience_s)


def test_a_record_that_fails_is_parted_from_its_neighbours_and_given_up(
    cloud: Cloud, ledger: Ledger, patience_s: float
) -> None:
    settings = {"BisectBatchOnFunctionError": True, "MaximumRetryAttempts": 2}

    queue = mapped(cloud, ledger, "by exception", "a", "bad", "c", "d", **settings)

    wait_for(lambda: ["c", "d"] in ledger.lines(), "the last of the neighbours", patience_s)
    assert ledger.lines() == [["a", "bad", "c", "d"], ["a", "bad"], ["a"], ["bad"], ["bad"], ["bad"], ["c", "d"]]
    assert given_up(cloud, queue) == [("RetryAttemptsExhausted", 1)]


def test_a_record_that_fails_for_ever_holds_up_no_other_mapping(ours: Cloud, ledger: Ledger, tmp_path: Path) -> None:
    other = Ledger(tmp_path / "other")

    mapped(ours, ledger, "by exception", "a", "bad")
    wait_for(lambda: len(ledger.lines()) == 2, "a second attempt")
    mapped(ours, other, "by exception", "c")

    wait_for(lambda: other.lines() == [["c"]], "the other mapping")


def test_a_mapping_goes_on_after_a_restart_of_the_emulator(
    repaired: bool, python: Path, ledger: Ledger, tmp_path: Path, patience_s: float
) -> None:
    with Emulator(tmp_path / "cloud", python=python, repaired=repaired) as first:
        cloud = Cloud(first)
        mapped(cloud, ledger, "by exception", "a", "b")
        wait_for(lambda: last_results(cloud) == ["OK - 2 records"], "the records before the restart")
    with Emulator(tmp_path / "cloud", python=python, repaired=repaired) as second:
        cloud = Cloud(second)
        cloud.put(cloud.dynamodb.list_tables()["TableNames"][0], "c", "d")

        wait_for(lambda: "d" in seen(ledger), "the records after the restart", patience_s)

    assert seen(ledger) == ["a", "b", "c", "d"]


def last_results(cloud: Cloud) -> list[str]:
    return [
        mapping["LastProcessingResult"] for mapping in cloud.lambda_.list_event_source_mappings()["EventSourceMappings"]
    ]


def seen(ledger: Ledger) -> list[str]:
    return [key for batch in ledger.lines() for key in batch]


def records(*numbers: int) -> Records:
    return [{"dynamodb": {"SequenceNumber": str(number)}} for number in numbers]


class Function:
    """What a function got, and what it answers: an error for a batch with one of the bad numbers."""

    def __init__(self, *bad: int) -> None:
        self.bad = {str(number) for number in bad}
        self.batches: list[list[str]] = []
        self.lost: list[list[str]] = []

    def invoke(self, batch: Records) -> Result:
        self.batches.append(numbers(batch))
        return {"body": "{}", "error": True} if self.bad & set(numbers(batch)) else {"body": "{}"}

    def give_up(self, batch: Records, _result: Result) -> None:
        self.lost.append(numbers(batch))

    def run(self, work: Work, **settings: Any) -> bool:
        """Whether all is done."""
        return not Rules(settings, self.invoke, self.give_up).run(work).get("error")


def numbers(batch: Records) -> list[str]:
    return [record["dynamodb"]["SequenceNumber"] for record in batch]


def test_what_joins_a_batch_that_failed_goes_apart_and_once() -> None:
    function, work = Function(2), Work()

    work.meet(records(1, 2))
    done = [function.run(work)]
    work.meet(records(1, 2, 3))
    function.bad.clear()
    done.append(function.run(work))

    assert done == [False, True]
    assert function.batches == [["1", "2"], ["1", "2"], ["3"]]


def test_what_left_the_stream_is_tried_no_more() -> None:
    function, work = Function(1), Work()

    work.meet(records(1, 2))
    function.run(work)
    work.meet(records(2))
    function.run(work)

    assert function.batches == [["1", "2"], ["2"]]


@pytest.mark.parametrize("limit", [None, -1])
def test_without_a_limit_nothing_is_given_up(limit: int | None) -> None:
    function, work = Function(1), Work()
    work.meet(records(1))

    assert not any(function.run(work, MaximumRetryAttempts=limit) for _ in range(5))
    assert (len(function.batches), function.lost) == (5, [])


def test_without_a_retry_the_first_failure_is_the_last() -> None:
    function, work = Function(1), Work()
    work.meet(records(1, 2))

    assert function.run(work, MaximumRetryAttempts=0)
    assert function.lost == [["1", "2"]]


@pytest.mark.parametrize("identifier", ["", None, "of another batch"])
def test_a_report_of_no_record_of_the_batch_fails_all_of_it(identifier: str | None) -> None:
    body = json.dumps({"batchItemFailures": [{"itemIdentifier": identifier}]})
    lost: list[list[str]] = []
    settings = {"FunctionResponseTypes": ["ReportBatchItemFailures"], "MaximumRetryAttempts": 0}
    work = Work()
    work.meet(records(1, 2))

    Rules(settings, lambda _: {"body": body}, lambda batch, _: lost.append(numbers(batch))).run(work)

    assert lost == [["1", "2"]]


@pytest.mark.parametrize("body", [None, b"", "null", "{}", '{"batchItemFailures": null}', '{"batchItemFailures": []}'])
def test_an_answer_that_reports_nothing_is_success(body: Any) -> None:
    work = Work()
    work.meet(records(1, 2))

    result = Rules(
        {"FunctionResponseTypes": ["ReportBatchItemFailures"]}, lambda _: {"body": body}, lambda *_: pytest.fail("lost")
    ).run(work)

    assert not result.get("error")

"""A stream's records that a function cannot process are retried, split and given up."""

import json
from pathlib import Path
from typing import Any

from infra.emulator.emulator import Emulator
from tests.support.emulation import Cloud, Ledger, unique
from tests.support.stack import wait_for

# It records its rows and fails for rows called `bad`, by an exception or by a report.
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
    """Maps a table with these rows to a function and returns the queue of the records that are given up."""
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
    """Returns the reason and the number of records of each message."""
    messages = cloud.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    bodies = [json.loads(message["Body"]) for message in messages]
    return [(one["requestContext"]["condition"], one["DDBStreamBatchInfo"]["batchSize"]) for one in bodies]


def test_a_reported_record_is_retried_with_all_that_follow_it(cloud: Cloud, ledger: Ledger, patience_s: float) -> None:
    settings = {"FunctionResponseTypes": ["ReportBatchItemFailures"], "MaximumRetryAttempts": 1}

    queue = mapped(cloud, ledger, "by report", "a", "bad", "c", **settings)

    wait_for(lambda: len(ledger.lines()) == 2, "the second attempt", patience_s)
    assert ledger.lines() == [["a", "bad", "c"], ["bad", "c"]]
    wait_for(lambda: given_up(cloud, queue) == [("RetryAttemptsExhausted", 2)], "the queue", patience_s)


def test_a_failing_record_is_separated_from_its_neighbours_and_given_up(
    cloud: Cloud, ledger: Ledger, patience_s: float
) -> None:
    settings = {"BisectBatchOnFunctionError": True, "MaximumRetryAttempts": 2}

    queue = mapped(cloud, ledger, "by exception", "a", "bad", "c", "d", **settings)

    wait_for(lambda: ["c", "d"] in ledger.lines(), "the last of the neighbours", patience_s)
    assert ledger.lines() == [["a", "bad", "c", "d"], ["a", "bad"], ["a"], ["bad"], ["bad"], ["bad"], ["c", "d"]]
    assert given_up(cloud, queue) == [("RetryAttemptsExhausted", 1)]


def test_a_record_that_always_fails_delays_no_other_mapping(ours: Cloud, ledger: Ledger, tmp_path: Path) -> None:
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

"""The laptop's queues: made anew at each start, and read as Lambda reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.emulator.emulator import Emulator
from infra.local.queues import QueueMapping, QueueSource, make_queues
from tests.support.emulation import Cloud, emulators_python
from tests.support.stack import wait_for

URLS = "http://127.0.0.1/000000000000/registry-"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Any]:
    """Yields a client of a ministack with the queue `registry-work`."""
    with Emulator(tmp_path, python=emulators_python()) as emulator:
        sqs = Cloud(emulator).sqs
        make_queues(sqs, URLS, [("work", 10)])
        yield sqs


def url_of(client: Any, name: str = "registry-work") -> str:
    url: str = client.get_queue_url(QueueName=name)["QueueUrl"]
    return url


def attributes_of(client: Any) -> dict[str, str]:
    attributes: dict[str, str] = client.get_queue_attributes(QueueUrl=url_of(client), AttributeNames=["All"])[
        "Attributes"
    ]
    return attributes


def mapping_of(client: Any, function: Any) -> QueueMapping:
    return QueueMapping(client, url_of(client), QueueSource("work", function, 2, 2, 10), lambda _: None)


def test_a_start_with_another_timeout_changes_the_queue_and_keeps_its_messages(client: Any) -> None:
    client.send_message(QueueUrl=url_of(client), MessageBody="kept")

    make_queues(client, URLS, [("work", 20)])

    attributes = attributes_of(client)
    assert (attributes["VisibilityTimeout"], attributes["ApproximateNumberOfMessages"]) == ("120", "1")
    assert json.loads(attributes["RedrivePolicy"])["maxReceiveCount"] == 5


def test_messages_that_did_not_fail_are_deleted_and_the_others_stay(client: Any) -> None:
    seen: list[str] = []

    def work(event: dict[str, Any], _: object) -> dict[str, Any]:
        seen.extend(record["body"] for record in event["Records"])
        failed = [record["messageId"] for record in event["Records"] if record["body"] == "bad"]
        return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}

    for body in ("good", "bad"):
        client.send_message(QueueUrl=url_of(client), MessageBody=body)
    mapping = mapping_of(client, work)
    while len(seen) < 2:
        mapping.turn()
    mapping.close()

    assert sorted(seen) == ["bad", "good"]
    attributes = attributes_of(client)
    assert attributes["ApproximateNumberOfMessagesNotVisible"] == "1"
    assert attributes["ApproximateNumberOfMessages"] == "0"


def test_a_call_that_raises_leaves_its_messages(client: Any) -> None:
    calls: list[int] = []

    def work(*_: object) -> None:
        calls.append(1)
        raise KeyError("a bug")

    client.send_message(QueueUrl=url_of(client), MessageBody="x")
    mapping = mapping_of(client, work)
    mapping.turn()
    wait_for(lambda: calls, "the call")
    mapping.close()

    assert attributes_of(client)["ApproximateNumberOfMessagesNotVisible"] == "1"


def test_an_empty_queue_is_idle(client: Any) -> None:
    assert mapping_of(client, lambda *_: None).turn()

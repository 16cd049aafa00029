"""Messages of a batch are worked on one by one, and only those that failed come again."""

import json
from typing import Any

import pytest
from chalice.app import SQSEvent

from chalicelib.edge.jobs.messages import handle_each


def an_event(*bodies: str) -> SQSEvent:
    records = [{"messageId": str(number), "body": body, "receiptHandle": "x"} for number, body in enumerate(bodies)]
    return SQSEvent({"Records": records}, None)


def test_only_what_failed_is_reported() -> None:
    done: list[Any] = []

    def work(message: Any) -> None:
        if message["run"] == "1":
            raise OSError
        done.append(message["run"])

    answer = handle_each(an_event(*(json.dumps({"run": str(number)}) for number in range(3))), [["run"]], work)

    assert done == ["0", "2"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}


def test_what_is_no_message_of_ours_does_not_come_again() -> None:
    done: list[Any] = []

    answer = handle_each(an_event("nonsense", "{}", "[]", "null", '{"run": 1}'), [["run"]], done.append)

    assert (answer, done) == ({"batchItemFailures": []}, [])


@pytest.mark.parametrize("fault", [KeyError, TypeError, ValueError])
def test_a_bug_in_a_worker_is_no_reason_to_drop_its_message(fault: type[Exception]) -> None:
    def work(_: Any) -> None:
        raise fault

    answer = handle_each(an_event('{"run": "1"}'), [["run"]], work)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}]}

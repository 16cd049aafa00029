"""Messages of a batch are worked on one by one, and only those that failed come again."""

import json
from typing import Any

from chalice.app import SQSEvent

from chalicelib.edge.jobs.messages import handle_each


def an_event(*bodies: str) -> SQSEvent:
    records = [{"messageId": str(number), "body": body, "receiptHandle": "x"} for number, body in enumerate(bodies)]
    return SQSEvent({"Records": records}, None)


def test_only_what_failed_is_reported() -> None:
    done: list[Any] = []

    def work(message: Any) -> None:
        if message["number"] == 1:
            raise OSError
        done.append(message["number"])

    answer = handle_each(an_event(*(json.dumps({"number": number}) for number in range(3))), work)

    assert done == [0, 2]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}


def test_what_can_never_succeed_does_not_come_again() -> None:
    answer = handle_each(an_event("nonsense", "{}", "[]", "null"), lambda message: message["run"])
    assert answer == {"batchItemFailures": []}

"""Messages are sent ten a call, and no failure of the queue makes the caller fail."""

from typing import Any

import pytest

from chalicelib.domain.queues import QueueName
from chalicelib.storage.queues import QueueStore


class FakeClient:
    """Takes batches as SQS does; `refuses` are the numbers of messages that it does not take."""

    def __init__(self, refuses: set[str] | None = None) -> None:
        self.calls: list[dict[str, Any]] = []
        self.refuses = refuses or set()

    def send_message_batch(self, **call: Any) -> dict[str, Any]:
        self.calls.append(call)
        ids = [entry["Id"] for entry in call["Entries"]]
        failed = [{"Id": one, "Code": "InternalError"} for one in ids if one in self.refuses]
        return {"Successful": [{"Id": one} for one in ids if one not in self.refuses], "Failed": failed}


def a_store(client: Any, prefix: str = "http://queues/1/registry-") -> QueueStore:
    store = QueueStore(prefix, None)
    store.__dict__["_client"] = client
    return store


def test_messages_are_sent_ten_a_call() -> None:
    client = FakeClient()

    sent = a_store(client).send(QueueName.MIRRORS, [{"number": number} for number in range(23)], delay_s=5)

    assert sent == 23
    assert [len(call["Entries"]) for call in client.calls] == [10, 10, 3]
    assert {call["QueueUrl"] for call in client.calls} == {"http://queues/1/registry-mirrors"}
    assert client.calls[0]["Entries"][1] == {"Id": "1", "MessageBody": '{"number": 1}', "DelaySeconds": 5}


def test_a_delay_is_at_most_what_sqs_takes() -> None:
    client = FakeClient()
    a_store(client).send(QueueName.MIRRORS, [{}], delay_s=10_000)
    assert client.calls[0]["Entries"][0]["DelaySeconds"] == 900


def test_a_refused_message_is_not_counted() -> None:
    assert a_store(FakeClient({"0"})).send(QueueName.MIRRORS, [{}, {}]) == 1


def test_a_queue_that_does_not_answer_makes_nobody_fail() -> None:
    class Silent:
        def send_message_batch(self, **_: Any) -> None:
            raise OSError("no answer")

    assert a_store(Silent()).send(QueueName.MIRRORS, [{}]) == 0


def test_without_queues_nothing_is_sent() -> None:
    client = FakeClient()
    assert a_store(client, "").send(QueueName.MIRRORS, [{}]) == 0
    assert client.calls == []


@pytest.mark.parametrize("count", [0, 1])
def test_no_message_costs_no_call(count: int) -> None:
    client = FakeClient()
    a_store(client).send(QueueName.MIRRORS, [{}] * count)
    assert len(client.calls) == count

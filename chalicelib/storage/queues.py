"""Sends messages to SQS. A message only wakes a function up: what is to do is in the table, and timers look for it.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
"""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from pynamodb.connection import TableConnection

from chalicelib.domain.queues import QueueName
from chalicelib.storage.patience import usual_config
from chalicelib.telemetry import count_call, logger

# SQS takes so many messages a call, and delays them for so many seconds at most.
BATCH, LONGEST_DELAY_S = 10, 900


class QueueStore:
    """The queues, whose URLs begin with `prefix`, reached with the session of the table's connection.

    Without a prefix nothing is sent, and the timers do it all.
    """

    def __init__(self, prefix: str, table: TableConnection) -> None:
        self._prefix, self._table = prefix, table

    @cached_property
    def _client(self) -> Any:
        client = self._table.connection.session.create_client("sqs", config=usual_config())
        client.meta.events.register("before-send.sqs", count_call)
        return client

    def send(self, queue: QueueName, messages: Sequence[Mapping[str, object]], *, delay_s: int = 0) -> int:
        """Sends messages, ten a call; returns how many SQS took. One that it refuses is logged and not sent again.

        The timers send what was lost, so that no failure here makes the caller fail.
        """
        sent = 0
        for start in range(0, len(messages) if self._prefix else 0, BATCH):
            entries = [
                {"Id": str(number), "MessageBody": json.dumps(message), "DelaySeconds": min(delay_s, LONGEST_DELAY_S)}
                for number, message in enumerate(messages[start : start + BATCH])
            ]
            sent += self._send(queue, entries)
        return sent

    def _send(self, queue: QueueName, entries: list[dict[str, Any]]) -> int:
        try:
            answer = self._client.send_message_batch(QueueUrl=self._prefix + queue, Entries=entries)
        except Exception:  # noqa: BLE001 - whatever it is, the timers send again
            logger.exception("messages not sent", queue=queue, count=len(entries))
            return 0
        for failed in answer.get("Failed", []):
            logger.error("message refused", queue=queue, code=failed.get("Code"))
        return len(answer.get("Successful", []))

"""Plays Lambda's event source mapping of SQS on a laptop: it polls the queues and calls the functions that read them.

At rest it looks as seldom as the timers do; a process of the stack that arms a timer wakes it (infra/local/waking.py),
as whoever sends a message arms one for the case that the message gets lost.

https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

import json
import logging
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from chalice.app import SQSEventConfig

from infra.local.environment import ACCOUNT, REGION, ROOT

CONFIG = ROOT / ".chalice" / "config.json"
# After so many receptions SQS puts a message aside, and it keeps all for 14 days (infra/terraform/queues.tf).
MOST_RECEPTIONS, KEPT_S = 5, 14 * 86_400
# How many calls of a function run at once unless its mapping says less.
CONCURRENCY = 10
WAIT_S = 1
log = logging.getLogger("queues")


class Context(Protocol):
    """What Lambda passes beside an event."""

    def get_remaining_time_in_millis(self) -> int:
        """Returns the milliseconds until the call must have ended."""


@dataclass(frozen=True)
class QueueSource:
    """A function that reads a queue, as the app declares it, and the seconds that a call of it may take."""

    queue: str
    function: Callable[[dict[str, Any], Any], Any]
    batch_size: int
    concurrency: int
    timeout_s: int


def sources() -> list[QueueSource]:
    """Returns the functions of the app that read queues."""
    from app import app

    config = json.loads(CONFIG.read_text("utf-8"))["stages"]["prod"]["lambda_functions"]
    found = [source for source in app.event_sources if isinstance(source, SQSEventConfig)]
    return [
        QueueSource(
            str(source.queue),
            pkgutil.resolve_name(source.handler_string),
            source.batch_size,
            source.maximum_concurrency or CONCURRENCY,
            config[source.name]["lambda_timeout"],
        )
        for source in found
    ]


def make_queues(client: Any, urls: str, names: Sequence[tuple[str, int]]) -> None:
    """Makes queues, each with its queue of messages that were put aside; those that exist get the same attributes.

    `urls` is how their URLs begin, `names` has each queue with the timeout of its function in seconds.
    """
    prefix = urls.rpartition("/")[2]
    for name, timeout_s in names:
        aside = _made(client, f"{prefix}{name}-dead", {"MessageRetentionPeriod": str(KEPT_S)})
        dead = client.get_queue_attributes(QueueUrl=aside, AttributeNames=["QueueArn"])["Attributes"]
        redrive = {"deadLetterTargetArn": dead["QueueArn"], "maxReceiveCount": MOST_RECEPTIONS}
        attributes = {
            "VisibilityTimeout": str(6 * timeout_s),
            "MessageRetentionPeriod": str(KEPT_S),
            "RedrivePolicy": json.dumps(redrive),
        }
        _made(client, f"{prefix}{name}", attributes)


def _made(client: Any, name: str, attributes: Mapping[str, str]) -> str:
    """Makes a queue or changes it, since one that exists with other attributes cannot be made; returns its URL."""
    url: str = client.create_queue(QueueName=name)["QueueUrl"]
    client.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    return url


class QueueMapping:
    """One queue and the function that reads it."""

    def __init__(self, client: Any, url: str, source: QueueSource, context: Callable[[float], Context]) -> None:
        self._client, self._url, self._source, self._context = client, url, source, context
        self._pool = ThreadPoolExecutor(source.concurrency, thread_name_prefix=f"queue-{source.queue}")
        self._running: set[Future[None]] = set()

    def turn(self, _event: object = None, _context: object = None) -> bool:
        """Receives messages as far as calls may begin; returns whether there were none and no call runs."""
        self._running = {call for call in self._running if not call.done()}
        free = self._source.concurrency - len(self._running)
        batches = self._received(free) if free > 0 else []
        self._running |= {self._pool.submit(self._call, batch) for batch in batches}
        return not self._running

    def close(self) -> None:
        """Waits for the calls that run; they see that no time is left."""
        self._pool.shutdown()

    def _received(self, free: int) -> list[list[dict[str, Any]]]:
        answer = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=min(10, free * self._source.batch_size),
            WaitTimeSeconds=WAIT_S,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages, size = answer.get("Messages", []), self._source.batch_size
        return [messages[start : start + size] for start in range(0, len(messages), size)]

    def _call(self, messages: list[dict[str, Any]]) -> None:
        try:
            event = {"Records": [self._record(message) for message in messages]}
            answer = self._source.function(event, self._context(self._source.timeout_s))
            failed = {entry.get("itemIdentifier") for entry in (answer or {}).get("batchItemFailures", ())}
            done = [message for message in messages if message["MessageId"] not in failed]
            if done:
                entries = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(done)]
                self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)
        except Exception:
            log.exception("a call of %s failed", self._source.queue)

    def _record(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Returns a message as Lambda sends it."""
        attributes = {
            name: {
                "stringValue": value.get("StringValue"),
                "dataType": value["DataType"],
                "stringListValues": [],
                "binaryListValues": [],
            }
            for name, value in message.get("MessageAttributes", {}).items()
        }
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": attributes,
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self._url.rpartition('/')[2]}",
            "awsRegion": REGION,
        }

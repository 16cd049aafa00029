"""Handles batches of messages from a queue, and reports those that failed, so that only these come again.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from chalice.app import SQSEvent

from chalicelib.telemetry import logger


def handle_each(
    event: SQSEvent, kinds: Sequence[Collection[str]], work: Callable[[Mapping[str, Any]], None]
) -> dict[str, list[dict[str, str]]]:
    """Has each message worked on; returns those that failed.

    What is no message of ours, with a text in each field of one of the `kinds`, is logged and not kept.
    """
    failed: list[dict[str, str]] = []
    for record in event.to_dict()["Records"]:
        identifier, message = record["messageId"], _message(record["body"])
        if message is None or not any(_has(message, fields) for fields in kinds):
            logger.error("message unreadable", id=identifier)
            continue
        try:
            work(message)
        except Exception:  # noqa: BLE001 - the queue repeats the message, whatever failed; the others are handled
            logger.exception("message failed", id=identifier)
            failed.append({"itemIdentifier": identifier})
    return {"batchItemFailures": failed}


def _has(message: Mapping[str, Any], fields: Collection[str]) -> bool:
    return all(isinstance(message.get(field), str) for field in fields)


def _message(body: str) -> Mapping[str, Any] | None:
    try:
        message = json.loads(body)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None

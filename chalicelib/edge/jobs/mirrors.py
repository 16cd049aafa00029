"""`mirrors`: works on the runs of mirrors and on discoveries, a message at a time."""

from collections.abc import Mapping
from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib.domain.queues import QueueName
from chalicelib.edge.jobs.messages import handle_each
from chalicelib.telemetry import one_line
from chalicelib.wiring import services

blueprint = Blueprint(__name__)
KINDS = (("repository", "run"), ("namespace", "discovery"), ("cached",))


@blueprint.on_sqs_message(queue=QueueName.MIRRORS.value, batch_size=1, maximum_concurrency=10)
def mirrors(event: SQSEvent) -> dict[str, list[dict[str, str]]]:
    """Compares the tags of a mirror, copies one of them, or discovers the repositories of an organization's mirror."""
    context: Any = event.context

    def left_s() -> float:
        return float(context.get_remaining_time_in_millis() / 1000)

    def work(message: Mapping[str, Any]) -> None:
        room = services().mirroring
        if "cached" in message:
            room.cache_workers.work(message, left_s)
        elif "discovery" in message:
            room.discovery_workers.work(message, left_s)
        else:
            room.workers.work(message, left_s)

    with one_line("mirrors") as line:
        answer = handle_each(event, KINDS, work)
        line.facts["failed"] = len(answer["batchItemFailures"])
    return answer

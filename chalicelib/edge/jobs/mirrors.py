"""`mirrors`: works on the runs of mirrors, a message at a time."""

from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib.domain.queues import QueueName
from chalicelib.edge.jobs.messages import handle_each
from chalicelib.telemetry import one_line
from chalicelib.wiring import services

blueprint = Blueprint(__name__)
FIELDS = ("repository", "run")


@blueprint.on_sqs_message(queue=QueueName.MIRRORS.value, batch_size=1, maximum_concurrency=10)
def mirrors(event: SQSEvent) -> dict[str, list[dict[str, str]]]:
    """Compares the tags of a mirror, or copies one of them."""
    context: Any = event.context

    def left_s() -> float:
        return float(context.get_remaining_time_in_millis() / 1000)

    with one_line("mirrors") as line:
        answer = handle_each(event, FIELDS, lambda message: services().mirroring.workers.work(message, left_s))
        line.facts["failed"] = len(answer["batchItemFailures"])
    return answer

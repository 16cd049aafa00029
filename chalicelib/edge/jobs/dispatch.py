"""`dispatch`: handles the records of the table's stream, of which tags that the TTL service removed matter."""

from typing import Any

from chalice.app import Blueprint, DynamoDBEvent

from chalicelib.telemetry import logger, one_line
from chalicelib.wiring import services

blueprint = Blueprint(__name__)
# A placeholder: Terraform sets the ARN of the table's stream.
STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/table/stream/label"
# The principal that removes expired items.
TTL_SERVICE = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


@blueprint.on_dynamodb_record(
    STREAM, batch_size=100, starting_position="TRIM_HORIZON", maximum_batching_window_in_seconds=1
)
def dispatch(event: DynamoDBEvent) -> dict[str, list[dict[str, str]]]:
    """Handles a batch of records and returns those that failed: the stream starts again at the first of them."""
    failed: list[dict[str, str]] = []
    records = event.to_dict()["Records"]
    with one_line("dispatch", records=len(records)) as line:
        for record in records:
            number = record["dynamodb"]["SequenceNumber"]
            try:
                _handle(record)
            except Exception:  # noqa: BLE001 - the stream repeats the record, whatever failed; the others are handled
                logger.exception("record failed", number=number)
                failed.append({"itemIdentifier": number})
        line.facts["failed"] = len(failed)
    return {"batchItemFailures": failed}


def _handle(record: dict[str, Any]) -> None:
    # The TTL service sets `userIdentity`; a deletion by a call has none.
    identity = record.get("userIdentity") or {}
    is_ttl = {key: identity.get(key) for key in TTL_SERVICE} == TTL_SERVICE
    if record["eventName"] == "REMOVE" and is_ttl:
        services().lifecycle.tag_expiry.removed(record["dynamodb"]["OldImage"])

"""`dispatch`: what the table's stream tells. Today that is one thing: tags that the TTL service removed."""

from typing import Any

from chalice.app import Blueprint, DynamoDBEvent

from chalicelib.telemetry import logger
from chalicelib.wiring import services

blueprint = Blueprint(__name__)
# Terraform puts the table's stream in its place.
STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/table/stream/label"
# Who removes what is past its time.
TTL_SERVICE = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


@blueprint.on_dynamodb_record(
    STREAM, batch_size=100, starting_position="TRIM_HORIZON", maximum_batching_window_in_seconds=1
)
def dispatch(event: DynamoDBEvent) -> dict[str, list[dict[str, str]]]:
    """Looks at a batch of records, and names those that failed: the stream begins again at the first of them."""
    failed: list[dict[str, str]] = []
    for record in event.to_dict()["Records"]:
        number = record["dynamodb"]["SequenceNumber"]
        try:
            _look(record)
        except Exception:  # noqa: BLE001 - whatever it is, it comes again, and the others are looked at
            logger.exception("record failed", number=number)
            failed.append({"itemIdentifier": number})
    return {"batchItemFailures": failed}


def _look(record: dict[str, Any]) -> None:
    # The service writes its name; who deletes by a call has no `userIdentity`.
    by = record.get("userIdentity") or {}
    is_ttl = {key: by.get(key) for key in TTL_SERVICE} == TTL_SERVICE
    if record["eventName"] == "REMOVE" and is_ttl:
        services().lifecycle.tag_expiry.removed(record["dynamodb"]["OldImage"])

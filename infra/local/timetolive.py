"""Plays DynamoDB's TTL service on a laptop: it removes expired rows with a delay and writes a stream record for each.

Each call scans one page of the table and the next call goes on after it, so that a large table costs no more than a
small one: a page takes 6 ms of dynoxide, and the next follows after a second, or after five if nothing had expired. If
the service is killed, or the server fails, between a removal and its record, the record is lost; a timer does the work
instead (docs/adr/0010-timers.md).

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from chalicelib.settings import settings
from chalicelib.storage.table import TIME_TO_LIVE
from infra.local.environment import REGION
from infra.local.stream import TableStream, listener

EVERY_S = 1.0
# The rows that a call scans, and the most that it removes, so that no other write waits long.
PAGE, MOST = 500, 100
# The service keeps rows whose time is older than this, as AWS does.
FIVE_YEARS_S = 5 * 365 * 86_400
SERVICE = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
log = logging.getLogger("timetolive")

Row = Mapping[str, Mapping[str, Any]]


class TimeToLiveService:
    """The service of one table. It removes a row `late_s` seconds after its time at the earliest."""

    def __init__(
        self, client: Any, table: str, stream: TableStream, late_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._client, self._table, self._stream = client, table, stream
        self._late_s, self._clock = late_s, clock
        # The key after which the next scan begins; no row needs to have it.
        self._start: Row | None = None
        self._numbers = count(time.time_ns())
        label = datetime.now(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
        self._arn = f"arn:aws:dynamodb:{REGION}:000000000000:table/{table}/stream/{label}"

    def turn(self, _event: object = None, _context: object = None) -> bool:
        """Removes the expired rows of the next page, once the stream's function has processed those of the last.

        Returns whether there were none and all records have been processed.
        """
        removed = 0
        if self._stream.is_done:
            for row in self._removed():
                removed += 1
                self._stream.add(self._record(row))
            if removed:
                log.info("removed %d rows", removed)
        self._stream.deliver()
        return not removed and self._stream.is_done

    def _removed(self) -> Iterator[Row]:
        """Removes expired rows and yields each as it was."""
        found, following = self._page()
        if len(found) > MOST:
            found, following = found[:MOST], _key(found[MOST - 1])
        for row in found:
            if removed := self._remove(row):
                yield removed
        self._start = following

    def _page(self) -> tuple[list[Row], Row | None]:
        """Returns the expired rows of the next page and the key after which the following page begins."""
        over = int(self._clock() - self._late_s)
        answer = self._client.scan(
            TableName=self._table,
            Limit=PAGE,
            FilterExpression="#time BETWEEN :oldest AND :over",
            ExpressionAttributeNames={"#time": TIME_TO_LIVE},
            ExpressionAttributeValues={":oldest": {"N": str(over - FIVE_YEARS_S)}, ":over": {"N": str(over)}},
            **({"ExclusiveStartKey": self._start} if self._start else {}),
        )
        return answer["Items"], answer.get("LastEvaluatedKey")

    def _remove(self, row: Row) -> Row | None:
        """Removes a row and returns it, or None if its time has changed since it was read."""
        try:
            answer = self._client.delete_item(
                TableName=self._table,
                Key=_key(row),
                ConditionExpression="#time = :read",
                ExpressionAttributeNames={"#time": TIME_TO_LIVE},
                ExpressionAttributeValues={":read": row[TIME_TO_LIVE]},
                ReturnValues="ALL_OLD",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return None
        removed: Row = answer["Attributes"]
        return removed

    def _record(self, row: Row) -> dict[str, Any]:
        """Returns the stream record of a removal."""
        return {
            "eventID": uuid4().hex,
            "eventName": "REMOVE",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": REGION,
            "dynamodb": {
                "ApproximateCreationDateTime": int(time.time()),
                "Keys": _key(row),
                "OldImage": row,
                "SequenceNumber": f"{next(self._numbers):021d}",
                "SizeBytes": len(json.dumps([_key(row), row], default=repr)),
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
            "eventSourceARN": self._arn,
            "userIdentity": SERVICE,
        }


def _key(row: Row) -> Row:
    return {name: row[name] for name in ("pk", "sk")}


def service(client: Any, late_s: float) -> TimeToLiveService:
    """Returns the service of the app's table; the app's own function gets its records."""
    return TimeToLiveService(client, settings().table, listener(), late_s)

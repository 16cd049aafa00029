"""DynamoDB's TTL service on a laptop: it removes rows some time after their time, and says so in the table's stream.

It goes round the table, a page at each turn, so that a large table costs no more than a small one: a page takes 6 ms of
dynoxide, which goes round 50,000 rows in 100 seconds. Killed between a removal and its record, or turned away by the
server in between, it tells nobody: what must happen then has a timer (docs/adr/0010-timers.md).

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
from botocore.session import get_session

from chalicelib.settings import settings
from chalicelib.storage.table import TIME_TO_LIVE
from infra.local.environment import REGION
from infra.local.stream import TableStream, listener

EVERY_S = 1.0
# How many rows a turn looks at, and how many it removes at most: nobody else's write waits long for it.
PAGE, MOST = 500, 100
# What is older was hardly meant, and stays there.
FIVE_YEARS_S = 5 * 365 * 86_400
SERVICE = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
log = logging.getLogger("timetolive")

Row = Mapping[str, Mapping[str, Any]]


class TimeToLiveService:
    """The service over a table. It comes to a row `late_s` seconds after its time at the earliest."""

    def __init__(
        self, client: Any, table: str, stream: TableStream, late_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._client, self._table, self._stream = client, table, stream
        self._late_s, self._clock = late_s, clock
        # Where the round goes on; the key needs no row.
        self._start: Row | None = None
        self._numbers = count(time.time_ns())
        label = datetime.now(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
        self._arn = f"arn:aws:dynamodb:{REGION}:000000000000:table/{table}/stream/{label}"

    def turn(self, _event: object = None, _context: object = None) -> None:
        """Removes what is over on the next page; first the stream's function must have taken all of the last one."""
        if self._stream.is_done:
            removed = 0
            for row in self._removed():
                removed += 1
                self._stream.tell(self._record(row))
            if removed:
                log.info("removed %d rows", removed)
        self._stream.deliver()

    def _removed(self) -> Iterator[Row]:
        """Removes some rows whose time is over, and gives each as it was."""
        found, following = self._page()
        if len(found) > MOST:
            found, following = found[:MOST], _key(found[MOST - 1])
        for row in found:
            if removed := self._remove(row):
                yield removed
        self._start = following

    def _page(self) -> tuple[list[Row], Row | None]:
        """Rows of the next page whose time is over, and where the one after it begins."""
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
        """Removes a row and gives it; None where somebody has changed its time since it was read."""
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
        """What the stream tells of a removal."""
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


def service(late_s: float) -> TimeToLiveService:
    """The service over the table of the settings, which the app's own function listens to."""
    return TimeToLiveService(get_session().create_client("dynamodb"), settings().table, listener(), late_s)

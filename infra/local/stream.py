"""Plays the table's stream on a laptop: records that pass the filters reach the app in batches and in order.

https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
"""

import base64
import json
import logging
import pkgutil
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chalice.app import DynamoDBEventConfig

from infra.local.environment import ROOT
from infra.local.mappings import PARTIAL, BatchPart, MappingRules, PendingWork, Record, Records, Result

# The filters are those of Terraform.
FILTERS = ROOT / "infra" / "terraform" / "stream.json"
# The other settings of the mapping in infra/terraform/stream.tf; a test compares them.
MAPPING = {
    "FunctionResponseTypes": [PARTIAL],
    "BisectBatchOnFunctionError": True,
    "MaximumRetryAttempts": 10,
}
log = logging.getLogger("stream")


class TableStream:
    """A function and the records that it has not processed. A record that fails ten retries is logged and given up."""

    def __init__(
        self, function: Callable[[dict[str, Any], Any], Any], filters: Sequence[Mapping[str, Any]], batch_size: int
    ) -> None:
        self._function, self._filters, self._batch_size = function, filters, batch_size
        self._waiting: deque[Record] = deque()
        self._work = PendingWork()
        self._rules = MappingRules(MAPPING, self._invoke, _give_up)

    @property
    def is_done(self) -> bool:
        """Tells whether all records have been processed or given up."""
        return not self._waiting and not self._work.parts

    def add(self, record: Record) -> None:
        """Appends a record if it passes a filter."""
        if any(passes(record, pattern) for pattern in self._filters):
            self._waiting.append(record)

    def deliver(self) -> None:
        """Sends the waiting records batch by batch until all are done or one fails; that one comes first next time."""
        while not self.is_done:
            if not self._work.parts:
                count = min(self._batch_size, len(self._waiting))
                self._work.parts.append(BatchPart([self._waiting.popleft() for _ in range(count)]))
            if self._rules.run(self._work).get("error"):
                return

    def _invoke(self, records: Records) -> Result:
        try:
            return {"body": self._function(as_sent(records), None)}
        except Exception:
            log.exception("the stream's function failed")
            return {"body": None, "error": True}


def listener() -> TableStream:
    """Returns the stream of the app's own function."""
    from app import app

    (source,) = (source for source in app.event_sources if isinstance(source, DynamoDBEventConfig))
    return TableStream(pkgutil.resolve_name(source.handler_string), filters(), source.batch_size)


def filters() -> list[dict[str, Any]]:
    """Returns the filter patterns that wake the function."""
    found: list[dict[str, Any]] = json.loads(FILTERS.read_text("utf-8"))
    return found


def passes(value: object, pattern: Mapping[str, Any] | Sequence[Any]) -> bool:
    """Tells whether a value matches a pattern. Raises ValueError for a rule that is neither a value nor a prefix.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html#filtering-syntax
    """
    if not isinstance(pattern, Mapping):
        return any(_fits(value, rule) for rule in pattern)
    names = value if isinstance(value, Mapping) else {}
    return all(name in names and passes(names[name], below) for name, below in pattern.items())


def _fits(value: object, rule: object) -> bool:
    match rule:
        case str():
            return value == rule
        case {"prefix": str(beginning), **others} if not others:
            return isinstance(value, str) and value.startswith(beginning)
    raise ValueError(f"the local stream knows only values and prefixes, not {rule}")


def as_sent(records: Records) -> dict[str, Any]:
    """Returns the event of a batch as Lambda sends it: JSON, with bytes in base64."""
    sent: dict[str, Any] = json.loads(json.dumps({"Records": records}, default=_base64))
    return sent


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _give_up(records: Records, _: Result) -> None:
    for record in records:
        log.error("given up: %s", json.dumps(record["dynamodb"]["Keys"], default=_base64))

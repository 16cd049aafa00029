"""The table's stream on a laptop, as far as the app listens: what passes its filters comes in batches, in order.

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
# The rest of what infra/terraform/stream.tf says of the mapping; tests/house compares them.
MAPPING = {
    "FunctionResponseTypes": [PARTIAL],
    "BisectBatchOnFunctionError": True,
    "MaximumRetryAttempts": 10,
}
log = logging.getLogger("stream")


class TableStream:
    """One listener, and what it has not taken yet. A record is tried ten times more, and then given up with a line."""

    def __init__(
        self, function: Callable[[dict[str, Any], Any], Any], filters: Sequence[Mapping[str, Any]], batch_size: int
    ) -> None:
        self._function, self._filters, self._batch_size = function, filters, batch_size
        self._waiting: deque[Record] = deque()
        self._work = PendingWork()
        self._rules = MappingRules(MAPPING, self._invoke, _give_up)

    @property
    def is_done(self) -> bool:
        """Whether everything that was told has been taken or given up."""
        return not self._waiting and not self._work.parts

    def tell(self, record: Record) -> None:
        """Puts a record at the end, if it passes a filter."""
        if any(passes(record, pattern) for pattern in self._filters):
            self._waiting.append(record)

    def deliver(self) -> None:
        """Hands over what waits, batch by batch, until all is done or something failed, which comes first next time."""
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
    """The stream to the function of the app that listens to it."""
    from app import app

    (source,) = (source for source in app.event_sources if isinstance(source, DynamoDBEventConfig))
    return TableStream(pkgutil.resolve_name(source.handler_string), filters(), source.batch_size)


def filters() -> list[dict[str, Any]]:
    """What wakes the function."""
    found: list[dict[str, Any]] = json.loads(FILTERS.read_text("utf-8"))
    return found


def passes(told: object, pattern: Mapping[str, Any] | Sequence[Any]) -> bool:
    """Whether what is told has all that a pattern names. ValueError for a rule other than a value and a prefix.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html#filtering-syntax
    """
    if not isinstance(pattern, Mapping):
        return any(_fits(told, rule) for rule in pattern)
    names = told if isinstance(told, Mapping) else {}
    return all(name in names and passes(names[name], below) for name, below in pattern.items())


def _fits(told: object, rule: object) -> bool:
    match rule:
        case str():
            return told == rule
        case {"prefix": str(beginning), **others} if not others:
            return isinstance(told, str) and told.startswith(beginning)
    raise ValueError(f"the local stream knows values and prefixes, and not {rule}")


def as_sent(records: Records) -> dict[str, Any]:
    """The event of a batch, which travels as JSON: bytes are base64 in it."""
    sent: dict[str, Any] = json.loads(json.dumps({"Records": records}, default=_base64))
    return sent


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _give_up(records: Records, _: Result) -> None:
    for record in records:
        log.error("given up: %s", json.dumps(record["dynamodb"]["Keys"], default=_base64))

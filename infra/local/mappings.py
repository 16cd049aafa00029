"""The rules of an event source mapping of a stream: partial batches, retries, bisection.

https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
AWS does not document what happens if a function reports the first record of a batch as failed and bisection is on;
here the batch is split, as after an error of the function. A split does not count as a retry.
"""

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

PARTIAL = "ReportBatchItemFailures"

Record = dict[str, Any]
Records = list[Record]
Result = dict[str, Any]


@dataclass
class BatchPart:
    """Neighbouring records that are sent to the function together, and how often they failed."""

    records: Records
    failures: int = 0


@dataclass
class PendingWork:
    """The records of the current batch that a mapping has not processed, and the numbers of all that it has seen."""

    parts: deque[BatchPart] = field(default_factory=deque)
    seen: set[str] = field(default_factory=set)

    def meet(self, records: Records) -> None:
        """Adds the new records of a batch and drops records that have left the stream."""
        still = {_number(record) for record in records}
        kept = (BatchPart([r for r in part.records if _number(r) in still], part.failures) for part in self.parts)
        self.parts = deque(part for part in kept if part.records)
        if fresh := [record for record in records if _number(record) not in self.seen]:
            self.parts.append(BatchPart(fresh))
        self.seen |= still


@dataclass(frozen=True)
class MappingRules:
    """A mapping's settings, its function, and the destination of records that it gives up."""

    settings: Mapping[str, Any]
    invoke: Callable[[Records], Result]
    give_up: Callable[[Records, Result], None]

    def run(self, work: PendingWork) -> Result:
        """Processes parts until all are done or one must be retried later; then the result is an error."""
        result: Result = {"body": None}
        while work.parts:
            part = work.parts.popleft()
            result = self.invoke(part.records)
            failed = self._first_failed(part.records, result)
            if failed is None:
                continue
            rest = BatchPart(part.records[failed:], part.failures)
            if self.settings.get("BisectBatchOnFunctionError") and len(part.records) > 1:
                work.parts.extendleft(reversed([rest] if failed else _halves(rest)))
                continue
            rest.failures += 1
            if self._is_exhausted(rest):
                self.give_up(rest.records, result)
                continue
            work.parts.appendleft(rest)
            return result | {"error": True}
        return {name: value for name, value in result.items() if name != "error"}

    def _is_exhausted(self, part: BatchPart) -> bool:
        """Tells whether no retry is left; -1 and a missing limit mean unlimited retries."""
        limit = self.settings.get("MaximumRetryAttempts")
        return limit is not None and 0 <= int(limit) < part.failures

    def _first_failed(self, records: Records, result: Result) -> int | None:
        """Returns the index of the first failed record, or None if all succeeded."""
        if result.get("error"):
            return 0
        if PARTIAL not in (self.settings.get("FunctionResponseTypes") or []):
            return None
        reported = _reported(result.get("body"))
        if not reported:
            return None
        numbers = [_number(record) for record in records]
        # A number that is missing or not in the batch fails the whole batch.
        return min(numbers.index(number) for number in reported) if set(reported) <= set(numbers) else 0


def _reported(body: Any) -> list[str]:
    """Returns the sequence numbers that an answer reports as failed; an entry without one gives an empty string."""
    if isinstance(body, bytes | str):
        try:
            body = json.loads(body)
        except ValueError:
            return []
    failures = body.get("batchItemFailures") if isinstance(body, dict) else None
    return [str(failure.get("itemIdentifier") or "") for failure in failures or []]


def _halves(part: BatchPart) -> list[BatchPart]:
    middle = len(part.records) // 2
    return [BatchPart(part.records[:middle], part.failures), BatchPart(part.records[middle:], part.failures)]


def _number(record: Record) -> str:
    return str(record["dynamodb"]["SequenceNumber"])

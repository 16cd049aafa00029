"""Mappings of table streams to functions as AWS has them: partial batches, attempts, bisection, no gap at a restart.

ministack stores `ReportBatchItemFailures`, `MaximumRetryAttempts` and `BisectBatchOnFunctionError` and heeds none of
them: a batch with one bad record is tried for ever, and a record that a function reports as failed counts as done.
It forgets a stream when it stops, but not how many records each mapping has read, so that after a restart a mapping
skips that many new ones.

https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
AWS does not say what becomes of a reported failure of a batch's first record where bisection is on; here the batch is
split then, as after an error of the function. Splitting is no attempt.
"""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.local.ministack.repairs.private import service

NEEDED = (
    *("_execute_function", "_iter_all_esms", "_send_ddb_stream_failure_record"),
    *("_restore_esm_positions", "_dynamodb_stream_positions", "_poll_dynamodb_streams"),
)
PARTIAL = "ReportBatchItemFailures"
EXHAUSTED = "RetryAttemptsExhausted"

Record = dict[str, Any]
Records = list[Record]
Result = dict[str, Any]


@dataclass
class Part:
    """Neighbouring records that go to the function together, and how often they failed."""

    records: Records
    failures: int = 0


@dataclass
class Work:
    """What a mapping has not done of the batch at which its stream stands, and every record that it has seen of it."""

    parts: deque[Part] = field(default_factory=deque)
    seen: set[str] = field(default_factory=set)

    def meet(self, records: Records) -> None:
        """Takes up what is new in a batch, and lets go of what has left the stream."""
        still = {_number(record) for record in records}
        kept = (Part([r for r in part.records if _number(r) in still], part.failures) for part in self.parts)
        self.parts = deque(part for part in kept if part.records)
        if fresh := [record for record in records if _number(record) not in self.seen]:
            self.parts.append(Part(fresh))
        self.seen |= still


@dataclass(frozen=True)
class Rules:
    """A mapping's settings, and its two ways out: the function, and the destination of what is given up."""

    settings: Mapping[str, Any]
    invoke: Callable[[Records], Result]
    give_up: Callable[[Records, Result], None]

    def run(self, work: Work) -> Result:
        """Works until all is done or a part is to be tried again later; that one's result is an error then."""
        result: Result = {"body": None}
        while work.parts:
            part = work.parts.popleft()
            result = self.invoke(part.records)
            failed = self._first_failed(part.records, result)
            if failed is None:
                continue
            rest = Part(part.records[failed:], part.failures)
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

    def _is_exhausted(self, part: Part) -> bool:
        """-1 and nothing stand for ever."""
        limit = self.settings.get("MaximumRetryAttempts")
        return limit is not None and 0 <= int(limit) < part.failures

    def _first_failed(self, records: Records, result: Result) -> int | None:
        """The place of the first failed record; None where all went well."""
        if result.get("error"):
            return 0
        if PARTIAL not in (self.settings.get("FunctionResponseTypes") or []):
            return None
        reported = _reported(result.get("body"))
        if not reported:
            return None
        numbers = [_number(record) for record in records]
        # A number that is not in the batch, or none, fails all of it.
        return min(numbers.index(number) for number in reported) if set(reported) <= set(numbers) else 0


def repair(emulator: Any) -> None:
    """Puts the rules between the poller of streams and the function it calls."""
    functions = service(emulator, "lambda_svc", *NEEDED)
    _begin_at_zero(functions)
    _Poller(functions).take_over()


class _Poller:
    """The emulator's poller, a thread, and what its mappings have not done yet."""

    def __init__(self, functions: Any) -> None:
        self.functions = functions
        self.published = functions._execute_function  # noqa: SLF001  (private, as all of it)
        self.published_mappings = functions._iter_all_esms  # noqa: SLF001
        self.work: dict[str, Work] = {}
        # The mapping that this thread is busy with.
        self.turn = threading.local()

    def take_over(self) -> None:
        self.functions._iter_all_esms = self.mappings  # noqa: SLF001
        self.functions._execute_function = self.execute  # noqa: SLF001

    def mappings(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """The emulator's mappings; whose turn it is can be told from what the same thread executes."""
        for account, region, mapping in self.published_mappings():
            self.turn.mapping = mapping
            yield account, region, mapping
        self.turn.mapping = None

    def execute(self, function: Any, event: Any) -> Result:
        """A function; what a mapping of a stream hands it goes by that mapping's rules."""
        mapping = getattr(self.turn, "mapping", None)
        records = event.get("Records") if isinstance(event, dict) else None
        if not mapping or not records or records[0].get("eventSourceARN") != mapping.get("EventSourceArn"):
            return self._invoke(function, event)
        if records[0].get("eventSource") != "aws:dynamodb":
            return self._invoke(function, event)
        return self._run(function, mapping, records)

    def _run(self, function: Any, mapping: dict[str, Any], records: Records) -> Result:
        work = self.work.setdefault(mapping["UUID"], Work())
        work.meet(records)
        self.turn.mapping = None
        try:
            result = Rules(
                mapping,
                invoke=lambda batch: self._invoke(function, {"Records": batch}),
                give_up=lambda batch, last: self.functions._send_ddb_stream_failure_record(  # noqa: SLF001
                    mapping, function, batch, mapping["EventSourceArn"], last, EXHAUSTED
                ),
            ).run(work)
        finally:
            self.turn.mapping = mapping
        if not work.parts:
            del self.work[mapping["UUID"]]
        return result

    def _invoke(self, function: Any, event: Any) -> Result:
        result: Result = self.published(function, event)
        return result


def _begin_at_zero(functions: Any) -> None:
    """A stream begins anew when the emulator starts, so every mapping does."""
    restore = functions._restore_esm_positions  # noqa: SLF001

    def restored(store: Any, positions: Any) -> None:
        restore(store, positions)
        if store is functions._dynamodb_stream_positions:  # noqa: SLF001
            for key in store._data:  # noqa: SLF001
                store._data[key] = 0  # noqa: SLF001

    functions._restore_esm_positions = restored  # noqa: SLF001


def _reported(body: Any) -> list[str]:
    """The sequence numbers that an answer reports as failed; an empty one for an entry that names none."""
    if isinstance(body, bytes | str):
        try:
            body = json.loads(body)
        except ValueError:
            return []
    failures = body.get("batchItemFailures") if isinstance(body, dict) else None
    return [str(failure.get("itemIdentifier") or "") for failure in failures or []]


def _halves(part: Part) -> list[Part]:
    middle = len(part.records) // 2
    return [Part(part.records[:middle], part.failures), Part(part.records[middle:], part.failures)]


def _number(record: Record) -> str:
    return str(record["dynamodb"]["SequenceNumber"])

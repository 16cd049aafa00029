"""Event source mappings of table streams follow AWS's rules for partial batches, retries, bisection and restarts.

ministack stores `ReportBatchItemFailures`, `MaximumRetryAttempts` and `BisectBatchOnFunctionError` and ignores them: it
retries a batch with one bad record for ever, and takes a record as done that a function reports as failed. When it
stops it forgets a stream, but not how many records each mapping has read, so that after a restart a mapping skips that
many new records. Upstream solved this for SQS only (https://github.com/ministackorg/ministack/issues/287); no report
for streams is known as of 1.5.33.
"""

import threading
from collections.abc import Iterator
from typing import Any

from infra.emulator.repairs.private import service
from infra.local.mappings import MappingRules, PendingWork, Records, Result

NEEDED = (
    *("_execute_function", "_iter_all_esms", "_send_ddb_stream_failure_record"),
    *("_restore_esm_positions", "_dynamodb_stream_positions", "_poll_dynamodb_streams"),
)
EXHAUSTED = "RetryAttemptsExhausted"


def repair(emulator: Any) -> None:
    """Applies the rules between the poller of streams and the functions that it invokes."""
    functions = service(emulator, "lambda_svc", *NEEDED)
    _begin_at_zero(functions)
    _StreamPoller(functions).take_over()


class _StreamPoller:
    """The emulator's poller, which is one thread, and the pending work of its mappings."""

    def __init__(self, functions: Any) -> None:
        self.functions = functions
        self.published = functions._execute_function  # noqa: SLF001  (private, as all of it)
        self.published_mappings = functions._iter_all_esms  # noqa: SLF001
        self.work: dict[str, PendingWork] = {}
        # The mapping that this thread is polling for.
        self.turn = threading.local()

    def take_over(self) -> None:
        self.functions._iter_all_esms = self.mappings  # noqa: SLF001
        self.functions._execute_function = self.execute  # noqa: SLF001

    def mappings(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yields the emulator's mappings, and remembers for this thread which one is being polled."""
        for account, region, mapping in self.published_mappings():
            self.turn.mapping = mapping
            yield account, region, mapping
        self.turn.mapping = None

    def execute(self, function: Any, event: Any) -> Result:
        """Invokes a function; records of a stream follow the rules of their mapping."""
        mapping = getattr(self.turn, "mapping", None)
        records = event.get("Records") if isinstance(event, dict) else None
        if not mapping or not records or records[0].get("eventSourceARN") != mapping.get("EventSourceArn"):
            return self._invoke(function, event)
        if records[0].get("eventSource") != "aws:dynamodb":
            return self._invoke(function, event)
        return self._run(function, mapping, records)

    def _run(self, function: Any, mapping: dict[str, Any], records: Records) -> Result:
        work = self.work.setdefault(mapping["UUID"], PendingWork())
        work.meet(records)
        self.turn.mapping = None
        try:
            result = MappingRules(
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
    """Resets the position of every mapping at the start, where every stream is empty."""
    restore = functions._restore_esm_positions  # noqa: SLF001

    def restored(store: Any, positions: Any) -> None:
        restore(store, positions)
        if store is functions._dynamodb_stream_positions:  # noqa: SLF001
            for key in store._data:  # noqa: SLF001
                store._data[key] = 0  # noqa: SLF001

    functions._restore_esm_positions = restored  # noqa: SLF001

"""Mappings of table streams to functions as AWS has them: partial batches, attempts, bisection, no gap at a restart.

ministack stores `ReportBatchItemFailures`, `MaximumRetryAttempts` and `BisectBatchOnFunctionError` and heeds none of
them: a batch with one bad record is tried for ever, and a record that a function reports as failed counts as done.
It forgets a stream when it stops, but not how many records each mapping has read, so that after a restart a mapping
skips that many new ones.
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
    """Puts the rules between the poller of streams and the function it calls."""
    functions = service(emulator, "lambda_svc", *NEEDED)
    _begin_at_zero(functions)
    _StreamPoller(functions).take_over()


class _StreamPoller:
    """The emulator's poller, a thread, and what its mappings have not done yet."""

    def __init__(self, functions: Any) -> None:
        self.functions = functions
        self.published = functions._execute_function  # noqa: SLF001  (private, as all of it)
        self.published_mappings = functions._iter_all_esms  # noqa: SLF001
        self.work: dict[str, PendingWork] = {}
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
    """A stream begins anew when the emulator starts, so every mapping does."""
    restore = functions._restore_esm_positions  # noqa: SLF001

    def restored(store: Any, positions: Any) -> None:
        restore(store, positions)
        if store is functions._dynamodb_stream_positions:  # noqa: SLF001
            for key in store._data:  # noqa: SLF001
                store._data[key] = 0  # noqa: SLF001

    functions._restore_esm_positions = restored  # noqa: SLF001

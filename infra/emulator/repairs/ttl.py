"""Expired rows are deleted as DynamoDB's TTL service does it, but within a second.

ministack sweeps once a minute, deletes rows that AWS would keep (a time that is text, or more than five years ago), and
writes no stream record, so that no listener learns of an expiry. No upstream report is known as of 1.5.33.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-before-you-start.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
"""

import importlib
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from infra.emulator.repairs.background import every
from infra.emulator.repairs.private import demand, service

EVERY_S = 1.0
FIVE_YEARS_S = 5 * 365 * 86_400
SWEEPER = "dynamodb-ttl-reaper"
# The spelling of Lambda's events.
BY_TTL = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
NEEDED = ("_ttl_settings", "_ttl_reaper", "_tables", "_stream_records", "_remove_item", "_emit_stream_event", "_lock")

Rows = Mapping[Any, Mapping[Any, Mapping[str, Any]]]


def repair(emulator: Any) -> None:
    """Sweeps every second on the emulator's event loop, like the writes, and disables ministack's own sweeper."""
    tables = service(emulator, "dynamodb", *NEEDED)
    tenant = importlib.import_module("ministack.core.responses")
    demand(tenant, "_request_account_id", "_request_region")
    remove = tables._remove_item  # noqa: SLF001  (private, as all of it)
    if SWEEPER not in {thread.name for thread in threading.enumerate()}:
        raise SystemExit(f"ministack has no thread {SWEEPER}, which infra/emulator/repairs/ttl.py stops.")

    def remove_unless_swept(table: Any, partition: Any, sort: Any) -> Any:
        return None if threading.current_thread().name == SWEEPER else remove(table, partition, sort)

    tables._remove_item = remove_unless_swept  # noqa: SLF001
    every(emulator, EVERY_S, lambda: _sweep(tables, tenant))


def _sweep(tables: Any, tenant: Any) -> None:
    now = time.time()
    for (account, region, name), setting in list(tables._ttl_settings.all_items()):  # noqa: SLF001
        table = tables._tables.get_scoped(account, region, name)  # noqa: SLF001
        if setting.get("TimeToLiveStatus") != "ENABLED" or not table:
            continue
        tokens = tenant._request_account_id.set(account), tenant._request_region.set(region)  # noqa: SLF001
        try:
            with tables._lock:  # noqa: SLF001
                for partition, sort in list(expired(table["items"], setting["AttributeName"], now)):
                    _delete(tables, name, table, partition, sort)
        finally:
            tenant._request_account_id.reset(tokens[0])  # noqa: SLF001
            tenant._request_region.reset(tokens[1])  # noqa: SLF001


def expired(rows: Rows, attribute: str, now: float) -> Iterator[tuple[Any, Any]]:
    """Yields the keys of the rows whose time, in seconds since 1970, lies in the past five years."""
    for partition, sorts in rows.items():
        for sort, row in sorts.items():
            expires = row.get(attribute, {}).get("N")
            if expires is not None and now - FIVE_YEARS_S < float(expires) <= now:
                yield partition, sort


def _delete(tables: Any, name: str, table: Any, partition: Any, sort: Any) -> None:
    """Removes a row and names the TTL service in its stream record."""
    records = len(tables._stream_records.get(name) or [])  # noqa: SLF001
    row = tables._remove_item(table, partition, sort)  # noqa: SLF001
    tables._emit_stream_event(name, "REMOVE", row, None)  # noqa: SLF001
    written = tables._stream_records.get(name) or []  # noqa: SLF001
    if len(written) > records:
        written[-1]["userIdentity"] = dict(BY_TTL)

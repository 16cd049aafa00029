"""Counts what DynamoDB would bill for the calls of a test, from their parameters; rows have at most 1 KB."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

from chalicelib.storage import keys
from chalicelib.storage.connection import ReadingConnection

INDEXED = ("due", "view")
TIMER = keys.timer("", "")[0].partition("#")[0]


class Units:
    """Read and write units so far."""

    def __init__(self) -> None:
        self.read, self.write = 0.0, 0

    def take(self) -> tuple[float, int]:
        """Returns read and write units since the last time."""
        taken, self.read, self.write = (self.read, self.write), 0.0, 0
        return taken

    def add(self, operation: str, call: Mapping[str, Any]) -> None:
        """Adds a call. Raises ValueError for an operation that it does not know."""
        each = 1.0 if call.get("ConsistentRead") else 0.5
        match operation:
            case "GetItem" | "Query":
                self.read += each
            case "BatchGetItem":
                for asked in call["RequestItems"].values():
                    self.read += len(asked["Keys"]) * (1.0 if asked.get("ConsistentRead") else 0.5)
            case "PutItem" | "UpdateItem" | "DeleteItem":
                self.write += _written(operation, call)
            case "BatchWriteItem":
                requests = [request for each in call["RequestItems"].values() for request in each]
                self.write += sum(_written(*next(iter(request.items()))) for request in requests)
            case "TransactWriteItems":
                self.write += sum(2 * _written(*next(iter(item.items()))) for item in call["TransactItems"])
            case _:
                raise ValueError(operation)


def _written(operation: str, call: Mapping[str, Any]) -> int:
    """Returns the units of one write: one for the table, one for each index of a new row, two for one that moves."""
    if "Item" in call:
        return 1 + sum(name in call["Item"] for name in INDEXED)
    is_timer: bool = call["Key"]["pk"]["S"].startswith(TIMER)
    moved = 2 if operation.startswith("Update") else 1
    return 1 + moved if is_timer else 1


@contextmanager
def counted_units() -> Iterator[Units]:
    """Counts the units of all calls."""
    units, call = Units(), ReadingConnection._make_api_call

    def counted(self: ReadingConnection, operation_name: str, operation_kwargs: dict[str, Any]) -> dict[str, Any]:
        units.add(operation_name, operation_kwargs)
        return call(self, operation_name, operation_kwargs)

    with mock.patch.object(ReadingConnection, "_make_api_call", counted):
        yield units

"""A policy may fence a table's partitions by `dynamodb:LeadingKeys`.

ministack tells policies nothing of the keys that a request names, and `ForAllValues` holds where nothing is told.
Query, whose condition would have to be read, is left as it is: nobody here is fenced in one.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
"""

import importlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from infra.emulator.repairs.private import demand, service

# What holds the attributes of one row, and what holds more than one row of a table.
ROWS = ("Key", "Item")
REQUESTS = ("PutRequest", "DeleteRequest", "Put", "Delete", "Update", "Get", "ConditionCheck")


def repair(emulator: Any) -> None:
    """Tells policies the partition keys of all rows that a request names."""
    tables = service(emulator, "dynamodb", "_tables")._tables  # noqa: SLF001
    actions: Any = importlib.import_module("ministack.core.iam_actions")
    demand(actions, "dynamodb_service_context")
    published = actions.dynamodb_service_context

    def told(body: bytes) -> dict[str, Any]:
        context: dict[str, Any] = published(body)
        if not context:
            return context
        keys = [
            next(iter(row[table["pk_name"]].values()))
            for name, row in _rows(json.loads(body or b"{}"))
            if (table := tables.get(name)) and table["pk_name"] in row
        ]
        return {**context, "dynamodb:LeadingKeys": keys} if keys else context

    actions.dynamodb_service_context = told


def _rows(request: Mapping[str, Any], table: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every row that a request names, with the name of its table."""
    table = request.get("TableName", table)
    for place in ROWS:
        if place in request:
            yield table, request[place]
    for key in request.get("Keys", ()):
        yield table, key
    for place in REQUESTS:
        if place in request:
            yield from _rows(request[place], table)
    for each in request.get("TransactItems", ()):
        yield from _rows(each, table)
    for name, asked in (request.get("RequestItems") or {}).items():
        for each in asked if isinstance(asked, list) else [asked]:
            yield from _rows(each, name)

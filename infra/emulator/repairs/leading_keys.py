"""A policy can restrict a table's partitions by `dynamodb:LeadingKeys`.

ministack gives policies no keys of a request, and `ForAllValues` is true without values. The repair leaves Query as it
is, since it would have to parse the key condition and no policy here restricts one. No upstream report is known as of
1.5.33.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
"""

import importlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from infra.emulator.repairs.private import demand, service

# Members that hold the attributes of one row, and members that hold such members.
ROWS = ("Key", "Item")
REQUESTS = ("PutRequest", "DeleteRequest", "Put", "Delete", "Update", "Get", "ConditionCheck")


def repair(emulator: Any) -> None:
    """Gives policies the partition keys of all rows that a request names."""
    tables = service(emulator, "dynamodb", "_tables")._tables  # noqa: SLF001
    actions: Any = importlib.import_module("ministack.core.iam_actions")
    demand(actions, "dynamodb_service_context")
    published = actions.dynamodb_service_context

    def context_with_keys(body: bytes) -> dict[str, Any]:
        context: dict[str, Any] = published(body)
        if not context:
            return context
        keys = [
            next(iter(row[table["pk_name"]].values()))
            for name, row in _rows(json.loads(body or b"{}"))
            if (table := tables.get(name)) and table["pk_name"] in row
        ]
        return {**context, "dynamodb:LeadingKeys": keys} if keys else context

    actions.dynamodb_service_context = context_with_keys


def _rows(request: Mapping[str, Any], table: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields every row that a request names, with the name of its table."""
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
    for name, items in (request.get("RequestItems") or {}).items():
        for each in items if isinstance(items, list) else [items]:
            yield from _rows(each, name)

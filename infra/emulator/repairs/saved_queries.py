"""CloudWatch Logs keeps the queries that are saved for Logs Insights, by id and in the order of their names.

ministack 1.5.33 does not know the three operations. A query that names a log group that does not exist is refused, as
AWS documents (ResourceNotFoundException).
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutQueryDefinition.html
"""

import json
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from infra.emulator.repairs.private import service

Answer = tuple[int, dict[str, str], bytes]
JSON = {"Content-Type": "application/x-amz-json-1.1"}
UNKNOWN = "ResourceNotFoundException"


def repair(emulator: Any) -> None:
    """Answers the three operations, and leaves all others to ministack."""
    logs = service(emulator, "cloudwatch_logs", "handle_request", "_log_groups")
    published, kept = logs.handle_request, SavedQueries(lambda name: name in logs._log_groups)  # noqa: SLF001

    async def handle(method: str, path: str, headers: Mapping[str, str], body: bytes, query: Any) -> Any:
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        answer = kept.operations.get(operation)
        return answer(json.loads(body or b"{}")) if answer else await published(method, path, headers, body, query)

    logs.handle_request = handle


class SavedQueries:
    """The saved queries of the emulated account. `has_group` tells whether a log group exists."""

    def __init__(self, has_group: Callable[[str], bool]) -> None:
        self._queries: dict[str, dict[str, Any]] = {}
        self._has_group = has_group
        self.operations: Mapping[str, Callable[[Mapping[str, Any]], Answer]] = {
            "PutQueryDefinition": self._put,
            "DescribeQueryDefinitions": self._describe,
            "DeleteQueryDefinition": self._delete,
        }

    def _put(self, asked: Mapping[str, Any]) -> Answer:
        missing = [name for name in asked.get("logGroupNames", []) if not self._has_group(name)]
        identifier = asked.get("queryDefinitionId") or str(uuid4())
        if missing or (asked.get("queryDefinitionId") and identifier not in self._queries):
            return _refusal(f"The specified resource does not exist: {(missing or [identifier])[0]}")
        fields = ("name", "queryString", "logGroupNames")
        query = {field: asked[field] for field in fields if field in asked}
        self._queries[identifier] = query | {"queryDefinitionId": identifier, "lastModified": 0}
        return _answer({"queryDefinitionId": identifier})

    def _describe(self, asked: Mapping[str, Any]) -> Answer:
        prefix = asked.get("queryDefinitionNamePrefix", "")
        found = [query for query in self._queries.values() if query["name"].startswith(prefix)]
        return _answer({"queryDefinitions": sorted(found, key=lambda query: str(query["name"]))})

    def _delete(self, asked: Mapping[str, Any]) -> Answer:
        if self._queries.pop(asked["queryDefinitionId"], None) is None:
            return _refusal("The specified query definition does not exist.")
        return _answer({"success": True})


def _answer(document: Mapping[str, Any]) -> Answer:
    return 200, dict(JSON), json.dumps(document).encode()


def _refusal(why: str) -> Answer:
    return 400, dict(JSON), json.dumps({"__type": UNKNOWN, "message": why}).encode()

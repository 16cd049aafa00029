"""Connects pynamodb to DynamoDB, with reads that take less time than botocore's.

DynamoDB answers a consistent read in a fraction of the time that botocore spends on events, serialisers and parsers.
Reads are therefore signed with botocore's own SigV4Auth and sent over a pool of urllib3. When the answer is not a plain
200, the read is repeated through botocore, which keeps its retries, refreshes and error types. Writes use botocore.
"""

import base64
import json
import zlib
from functools import cached_property
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ConnectionError as Unreachable
from botocore.exceptions import HTTPClientError
from botocore.httpsession import get_cert_path
from pynamodb.connection import Connection
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout, connection_from_url
from urllib3.exceptions import HTTPError

from chalicelib.domain.errors import Unavailable
from chalicelib.telemetry import count_call

READS = {"GetItem", "BatchGetItem", "Query"}
CONNECT_S, READ_S = 1, 3


class ReadingConnection(Connection):
    """The only connection of a process. `fast_reads` says whether reads bypass botocore."""

    def __init__(self, *, fast_reads: bool, **options: Any) -> None:
        super().__init__(connect_timeout_seconds=CONNECT_S, read_timeout_seconds=READ_S, **options)
        self._fast_reads = fast_reads

    def _make_api_call(self, operation_name: str, operation_kwargs: dict[str, Any]) -> dict[str, Any]:
        count_call()
        if self._fast_reads and operation_name in READS:
            answer = self._read(operation_name, operation_kwargs)
            if answer is not None:
                return answer
        try:
            response: dict[str, Any] = super()._make_api_call(operation_name, operation_kwargs)
        except (Unreachable, HTTPClientError) as error:
            raise Unavailable("the table does not answer") from error
        return response

    @cached_property
    def _pool(self) -> HTTPConnectionPool | HTTPSConnectionPool:
        address = self.client.meta.endpoint_url
        options: dict[str, Any] = {"maxsize": self._max_pool_connections, "timeout": Timeout(CONNECT_S, READ_S)}
        if address.startswith("https:"):
            options |= {"cert_reqs": "CERT_REQUIRED", "ca_certs": get_cert_path(True)}
        return connection_from_url(address, **options)

    @cached_property
    def _credentials(self) -> Any:
        """Credentials that refresh themselves. They are cached, as every thread would create its own session."""
        return self.session.get_credentials()

    def _read(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any] | None:
        """Returns the answer to a read; None when botocore has to repeat it."""
        request = AWSRequest(
            "POST",
            self.client.meta.endpoint_url + "/",
            data=json.dumps(parameters).encode(),
            headers={"X-Amz-Target": f"DynamoDB_20120810.{operation}", "Content-Type": "application/x-amz-json-1.0"},
        )
        SigV4Auth(self._credentials.get_frozen_credentials(), "dynamodb", self.region).add_auth(request)
        try:
            answer = self._pool.urlopen("POST", "/", body=request.data, headers=dict(request.headers), retries=False)
        except HTTPError:
            return None
        checksum = answer.headers.get("x-amz-crc32")
        if answer.status != 200 or (checksum and int(checksum) != zlib.crc32(answer.data)):
            return None
        parsed: dict[str, Any] = json.loads(answer.data)
        return _with_bytes(parsed)


def _with_bytes(answer: dict[str, Any]) -> dict[str, Any]:
    """Decodes binary attributes to bytes, as botocore does."""
    items = [*answer.get("Items", []), *(item for rows in answer.get("Responses", {}).values() for item in rows)]
    for item in [answer["Item"], *items] if "Item" in answer else items:
        for value in item.values():
            if "B" in value:
                value["B"] = base64.b64decode(value["B"])
    return answer

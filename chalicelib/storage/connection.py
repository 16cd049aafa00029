"""pynamodb's connection, with reads that cost less than botocore's.

A consistent read takes DynamoDB a fraction of the time that botocore spends around it: events, serialisers, parsers.
Reads are therefore signed with botocore's own SigV4Auth and sent over a pool of urllib3. Whatever is not a plain 200 is
asked again through botocore, so that retries, refreshes and error types stay its own. Writes never take this way.
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

READS = {"GetItem", "BatchGetItem", "Query"}
CONNECT_S, READ_S = 1, 3


class ReadingConnection(Connection):
    """The one connection of a process. `fast_reads`: whether reads go past botocore."""

    def __init__(self, *, fast_reads: bool, **options: Any) -> None:
        super().__init__(connect_timeout_seconds=CONNECT_S, read_timeout_seconds=READ_S, **options)
        self._fast_reads = fast_reads

    def _make_api_call(self, operation_name: str, operation_kwargs: dict[str, Any]) -> dict[str, Any]:
        if self._fast_reads and operation_name in READS:
            answer = self._read(operation_name, operation_kwargs)
            if answer is not None:
                return answer
        try:
            slow: dict[str, Any] = super()._make_api_call(operation_name, operation_kwargs)
        except (Unreachable, HTTPClientError) as error:
            raise Unavailable("the table does not answer") from error
        return slow

    @cached_property
    def _pool(self) -> HTTPConnectionPool | HTTPSConnectionPool:
        address = self.client.meta.endpoint_url
        options: dict[str, Any] = {"maxsize": self._max_pool_connections, "timeout": Timeout(CONNECT_S, READ_S)}
        if address.startswith("https:"):
            options |= {"cert_reqs": "CERT_REQUIRED", "ca_certs": get_cert_path(True)}
        return connection_from_url(address, **options)

    @cached_property
    def _credentials(self) -> Any:
        """They refresh themselves; a session of botocore would be made anew in every thread."""
        return self.session.get_credentials()

    def _read(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any] | None:
        """The answer to a read, None where botocore has to ask again."""
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
        found: dict[str, Any] = json.loads(answer.data)
        return _with_bytes(found)


def _with_bytes(answer: dict[str, Any]) -> dict[str, Any]:
    """Binary attributes as bytes, as botocore gives them."""
    items = [*answer.get("Items", []), *(item for rows in answer.get("Responses", {}).values() for item in rows)]
    for item in [answer["Item"], *items] if "Item" in answer else items:
        for value in item.values():
            if "B" in value:
                value["B"] = base64.b64decode(value["B"])
    return answer

"""The relay's requests to the registry, and to the presigned addresses of its bucket."""

import hashlib
import hmac
import io
import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

import requests

from relay.auth import TIMEOUT_S, Credentials, session_for
from relay.errors import Refused, RelayError, Unavailable, reasons
from relay.protocol import Response
from relay.retries import Backoff

# How long one part is retried while it is kept in memory, in seconds.
PART_PATIENCE_S = 20
Json = dict[str, Any]
# The seconds for a connection and each block sent, and for the response: S3 may need long to store a large one.
S3_TIMEOUT_S = (15, 300)
# S3's statuses for an expired address, and for requests to repeat later.
EXPIRED_STATUSES, RETRYABLE_STATUSES = (403,), (408, 409, 429)


class AddressExpired(Unavailable):
    """S3 no longer accepts a presigned address: a new one has to be requested."""


class Content(Protocol):
    """A body whose length requests can find, and which is read in blocks, so that a slow line has time for each."""

    def read(self, size: int = -1) -> bytes:
        """Returns the next bytes."""


def put_presigned(
    session: requests.Session, address: str, content: Content, headers: Mapping[str, str] | None = None
) -> str:
    """Puts content to a presigned address and returns the ETag with its quotes.

    Raises AddressExpired, Unavailable, requests.RequestException, and RelayError if a retry cannot help.
    """
    response = session.put(address, data=content, headers=headers, timeout=S3_TIMEOUT_S, allow_redirects=False)
    if response.status_code == requests.codes.ok:
        return response.headers["ETag"]
    reason = f"S3 answered {response.status_code}{_error_code(response.text)}"
    if response.status_code in EXPIRED_STATUSES:
        raise AddressExpired(f"{reason} to a presigned address: check this machine's clock")
    if response.status_code in RETRYABLE_STATUSES or response.status_code >= 500:
        raise Unavailable(reason)
    raise RelayError(f"{reason} and refused the bytes: they do not match their digest, or are too many for one request")


def get_presigned(session: requests.Session, address: str) -> bytes:
    """Returns the object at a presigned address."""
    response = session.get(address, timeout=S3_TIMEOUT_S)
    response.raise_for_status()
    return response.content


def _error_code(document: str) -> str:
    """Returns S3's error code, as in `<Code>BadDigest</Code>`, in parentheses."""
    match = re.search(r"<Code>(\w{1,60})</Code>", document[:10_000])
    return f" ({match[1]})" if match else ""


class Registry:
    """One registry. `key` is the installation's relay key; without it the relay has only its clients' rights."""

    def __init__(self, url: str, key: bytes = b"") -> None:
        self.url, self._key = url.rstrip("/"), key
        self.session = session_for(self.url)

    def request_addresses(self, location: str, credentials: Credentials, first: int, count: int) -> Json:
        """Returns presigned addresses for the next parts of an upload; needs the key. Raises Refused."""
        return self._post_signed(f"{location}/presigned", credentials, {"first": first, "count": count})

    def report_parts(self, location: str, credentials: Credentials, report: Json) -> Json:
        """Reports the parts that were stored; needs the key. Raises Refused."""
        return self._post_signed(f"{location}/parts", credentials, report)

    def _post_signed(self, path: str, credentials: Credentials, document: Json) -> Json:
        body = json.dumps(document).encode()
        signature = hmac.new(self._key, path.encode() + b"\n" + body, hashlib.sha256).hexdigest()
        response = self._post(path, credentials, body, {"Relay-Signature": signature})
        if response.status_code != requests.codes.ok:
            raise Refused(response)
        result: Json = response.json()
        return result

    def presign(self, location: str, credentials: Credentials, digest: str, size: int, first: int = 1) -> Json:
        """Returns presigned addresses for a whole blob: one, or those of parts from `first` on. Raises Refused."""
        document = {"digest": digest, "size": size, "first": first}
        response = self._post_unsigned(f"{location}/presigned", credentials, document)
        if response.status_code != requests.codes.ok:
            raise Refused(response)
        result: Json = response.json()
        return result

    def complete(
        self, location: str, credentials: Credentials, digest: str, size: int, parts: list[tuple[int, str]]
    ) -> requests.Response:
        """Makes a blob of the stored bytes; the status is 202 while the registry hashes them. Raises Refused."""
        document = {"digest": digest, "size": size, "parts": parts}
        response = self._post_unsigned(f"{location}/complete", credentials, document)
        if response.status_code not in (requests.codes.created, requests.codes.accepted):
            raise Refused(response)
        return response

    def _post_unsigned(self, path: str, credentials: Credentials, document: Json) -> requests.Response:
        """Raises Unavailable if the request may succeed later."""
        response = self._post(path, credentials, json.dumps(document).encode(), {})
        if response.status_code == requests.codes.too_many_requests or response.status_code >= 500:
            raise Unavailable(f"{self.url} answered {response.status_code}{reasons(response)}")
        return response

    def _post(
        self, path: str, credentials: Credentials, body: bytes, extra_headers: Mapping[str, str]
    ) -> requests.Response:
        headers = {"Content-Type": "application/json", **credentials.headers, **extra_headers}
        return self.session.post(self.url + path, data=body, headers=headers, timeout=TIMEOUT_S, allow_redirects=False)

    def send(
        self,
        method: str,
        target: str,
        credentials: Credentials,
        body: bytes | Content = b"",
        extra_headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Response:
        """Sends a request with a small body or none for the path and query `target`."""
        headers = {**extra_headers, **credentials.headers}
        if body:
            headers["Content-Type"] = "application/octet-stream"
        # A file is sent block by block. The connection timeout applies to each block, so a slow line does not hit it.
        data = io.BytesIO(body) if body and isinstance(body, bytes) else body
        response = self.session.request(
            method, self.url + target, data=data, headers=headers, timeout=TIMEOUT_S, allow_redirects=False
        )
        return Response(response.status_code, response.headers, response.content)

    def put_part(self, address: str, content: bytes) -> str:
        """Puts bytes to a presigned address and returns the ETag. Raises requests.RequestException."""
        try:
            return Backoff(PART_PATIENCE_S).run(lambda: put_presigned(self.session, address, io.BytesIO(content)))
        except RelayError as error:
            raise requests.RequestException(str(error)) from error

    def get_tail(self, address: str) -> bytes:
        """Returns the tail of an upload from its presigned address."""
        return get_presigned(self.session, address)

"""What a relay asks of the registry, and where it puts the bytes."""

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
from relay.protocol import Answer
from relay.retries import Patience

# How long S3 may refuse one part that is held in memory, in seconds.
PART_S = 20
Json = dict[str, Any]
# Seconds for a connection and for each block sent, and for the answer: S3 may be slow to finish a large object.
S3_TIMEOUT_S = (15, 300)
# An address that has grown old, and what S3 wants to be asked again later.
OLD, LATER = (403,), (408, 409, 429)


class Outdated(Unavailable):
    """S3 does not believe an address any more: another has to be granted."""


class Content(Protocol):
    """What is sent: of a length that requests can tell, read block by block, so that a slow line has time for each."""

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""


def put_object(
    session: requests.Session, address: str, content: Content, headers: Mapping[str, str] | None = None
) -> str:
    """Puts content under a presigned address and gives its ETag, with its quotes.

    Raises Outdated, Unavailable, requests.RequestException, and RelayError for what no second attempt mends.
    """
    answer = session.put(address, data=content, headers=headers, timeout=S3_TIMEOUT_S, allow_redirects=False)
    if answer.status_code == requests.codes.ok:
        return answer.headers["ETag"]
    reason = f"S3 answered {answer.status_code}{_code(answer.text)}"
    if answer.status_code in OLD:
        raise Outdated(f"{reason} to a presigned address: is this machine's clock right?")
    if answer.status_code in LATER or answer.status_code >= 500:
        raise Unavailable(reason)
    raise RelayError(f"{reason}, and refused the bytes: they are not what their digest says, or too many at once")


def get_object(session: requests.Session, address: str) -> bytes:
    """What lies under a presigned address."""
    answer = session.get(address, timeout=S3_TIMEOUT_S)
    answer.raise_for_status()
    return answer.content


def _code(document: str) -> str:
    """S3's own word, as in `<Code>BadDigest</Code>`."""
    found = re.search(r"<Code>(\w{1,60})</Code>", document[:10_000])
    return f" ({found[1]})" if found else ""


class Registry:
    """One registry. `key` is the installation's relay key; a relay without one has no more rights than its clients."""

    def __init__(self, url: str, key: bytes = b"") -> None:
        self.url, self._key = url.rstrip("/"), key
        self.session = session_for(self.url)

    def grant(self, location: str, credentials: Credentials, first: int, count: int) -> Json:
        """Addresses for parts of an upload, for who holds the key. Raises Refused."""
        return self._tell(f"{location}/grants", credentials, {"first": first, "count": count})

    def stored(self, location: str, credentials: Credentials, report: Json) -> Json:
        """Reports what was put, for who holds the key. Raises Refused."""
        return self._tell(f"{location}/parts", credentials, report)

    def _tell(self, path: str, credentials: Credentials, said: Json) -> Json:
        body = json.dumps(said).encode()
        signature = hmac.new(self._key, path.encode() + b"\n" + body, hashlib.sha256).hexdigest()
        answer = self._post(path, credentials, body, {"Relay-Signature": signature})
        if answer.status_code != requests.codes.ok:
            raise Refused(answer)
        told: Json = answer.json()
        return told

    def offer(self, location: str, credentials: Credentials, digest: str, size: int, first: int = 1) -> Json:
        """Where a whole blob goes: one address, or those of parts from number `first` on. Raises Refused."""
        said = {"digest": digest, "size": size, "first": first}
        answer = self._ask(f"{location}/grants", credentials, said)
        if answer.status_code != requests.codes.ok:
            raise Refused(answer)
        told: Json = answer.json()
        return told

    def complete(
        self, location: str, credentials: Credentials, digest: str, size: int, parts: list[tuple[int, str]]
    ) -> requests.Response:
        """Makes a blob of what was put; 202 while the registry is still at it. Raises Refused."""
        said = {"digest": digest, "size": size, "parts": parts}
        answer = self._ask(f"{location}/complete", credentials, said)
        if answer.status_code not in (requests.codes.created, requests.codes.accepted):
            raise Refused(answer)
        return answer

    def _ask(self, path: str, credentials: Credentials, said: Json) -> requests.Response:
        """Raises Unavailable for what may pass."""
        answer = self._post(path, credentials, json.dumps(said).encode(), {})
        if answer.status_code == requests.codes.too_many_requests or answer.status_code >= 500:
            raise Unavailable(f"{self.url} answered {answer.status_code}{reasons(answer)}")
        return answer

    def _post(self, path: str, credentials: Credentials, body: bytes, more: Mapping[str, str]) -> requests.Response:
        headers = {"Content-Type": "application/json", **credentials.headers, **more}
        return self.session.post(self.url + path, data=body, headers=headers, timeout=TIMEOUT_S, allow_redirects=False)

    def send(
        self,
        method: str,
        target: str,
        credentials: Credentials,
        body: bytes | Content = b"",
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """Passes a request with a small body or none on, for path and query `target`, with `more` headers."""
        headers = {**more, **credentials.headers}
        if body:
            headers["Content-Type"] = "application/octet-stream"
        # As a file it goes out block by block, and the time to connect, which goes for each, is enough on a slow line.
        data = io.BytesIO(body) if body and isinstance(body, bytes) else body
        answer = self.session.request(
            method, self.url + target, data=data, headers=headers, timeout=TIMEOUT_S, allow_redirects=False
        )
        return Answer(answer.status_code, answer.headers, answer.content)

    def put(self, address: str, content: bytes) -> str:
        """Puts bytes under a presigned address and gives the ETag. Raises requests.RequestException."""
        try:
            return Patience(PART_S).over(lambda: put_object(self.session, address, io.BytesIO(content)))
        except RelayError as error:
            raise requests.RequestException(str(error)) from error

    def get(self, address: str) -> bytes:
        """Bytes from a presigned address."""
        return get_object(self.session, address)

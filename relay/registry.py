"""What a relay asks of the registry, and where it puts the bytes."""

import hashlib
import hmac
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import requests

from relay import bucket
from relay.credentials import Credentials
from relay.errors import RelayError, Unavailable
from relay.patience import Patience
from relay.sessions import session_for

# Seconds to connect and to wait for an answer.
TIMEOUT_S = (5, 60)
# How long S3 may refuse one part that is held in memory, in seconds.
PART_S = 20
Json = dict[str, Any]


class Refused(Exception):
    """The registry's own answer to something it would not do, to be handed on as it is."""

    def __init__(self, answer: requests.Response) -> None:
        super().__init__(f"the registry answered {answer.status_code}{reasons(answer)}")
        self.status, self.body, self.headers = answer.status_code, answer.content, answer.headers


def reasons(answer: requests.Response) -> str:
    """What an error of the specification's format says, as the end of a sentence."""
    try:
        errors = answer.json()["errors"]
        return ": " + "; ".join(f"{error['code']} {error.get('message', '')}".strip() for error in errors)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the registry answered to a request that was passed on."""

    status: int
    headers: Mapping[str, str]
    body: bytes


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
        body: bytes | bucket.Content = b"",
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
            return Patience(PART_S).over(lambda: bucket.put(self.session, address, io.BytesIO(content)))
        except RelayError as error:
            raise requests.RequestException(str(error)) from error

    def get(self, address: str) -> bytes:
        """Bytes from a presigned address."""
        return bucket.get(self.session, address)

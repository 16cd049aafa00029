"""What a relay asks of the registry, and where it puts the bytes."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

# Seconds to connect and to wait for an answer.
TIMEOUT_S = (5, 60)


class Refused(Exception):
    """The registry's own answer to something it would not do, to be handed on as it is."""

    def __init__(self, answer: requests.Response) -> None:
        super().__init__(f"the registry answered {answer.status_code}")
        self.status, self.body, self.headers = answer.status_code, answer.content, answer.headers


@dataclass(frozen=True, slots=True)
class Answer:
    """What the registry answered to a request that was passed on."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Registry:
    """One registry. `key` is the installation's relay key."""

    def __init__(self, url: str, key: bytes) -> None:
        self._url, self._key = url.rstrip("/"), key
        self._session = requests.Session()
        self._session.trust_env = False

    def grant(self, location: str, authorization: str, first: int, count: int) -> dict[str, Any]:
        """Addresses for parts of an upload. Raises Refused."""
        return self._tell(f"{location}/grants", authorization, {"first": first, "count": count})

    def stored(self, location: str, report: dict[str, Any]) -> dict[str, Any]:
        """Reports what was put. Raises Refused."""
        return self._tell(f"{location}/parts", "", report)

    def _tell(self, path: str, authorization: str, said: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps(said).encode()
        signature = hmac.new(self._key, path.encode() + b"\n" + body, hashlib.sha256).hexdigest()
        headers = {"Relay-Signature": signature, "Content-Type": "application/json"}
        if authorization:
            headers["Authorization"] = authorization
        answer = self._session.post(self._url + path, data=body, headers=headers, timeout=TIMEOUT_S)
        if answer.status_code != requests.codes.ok:
            raise Refused(answer)
        told: dict[str, Any] = answer.json()
        return told

    def send(self, method: str, target: str, authorization: str) -> Answer:
        """Passes a request without a body on, for path and query `target`."""
        headers = {"Authorization": authorization} if authorization else {}
        answer = self._session.request(
            method, self._url + target, headers=headers, timeout=TIMEOUT_S, allow_redirects=False
        )
        return Answer(answer.status_code, answer.headers, answer.content)

    def put(self, address: str, content: bytes) -> str:
        """Puts bytes under a presigned address and gives the ETag. Raises requests.RequestException."""
        answer = self._session.put(address, data=content, timeout=TIMEOUT_S)
        answer.raise_for_status()
        return answer.headers["ETag"]

    def get(self, address: str) -> bytes:
        """Bytes from a presigned address."""
        answer = self._session.get(address, timeout=TIMEOUT_S)
        answer.raise_for_status()
        return answer.content

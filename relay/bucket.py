"""Presigned addresses: where S3 takes bytes, and gives them back."""

import re
from collections.abc import Mapping
from typing import Protocol

import requests

from relay.errors import RelayError, Unavailable

# Seconds for a connection and for each block sent, and for the answer: S3 may be slow to finish a large object.
TIMEOUT_S = (15, 300)
# An address that has grown old, and what S3 wants to be asked again later.
OLD, LATER = (403,), (408, 409, 429)


class Outdated(Unavailable):
    """S3 does not believe an address any more: another has to be granted."""


class Content(Protocol):
    """What is sent: of a length that requests can tell, read block by block, so that a slow line has time for each."""

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""


def put(session: requests.Session, address: str, content: Content, headers: Mapping[str, str] | None = None) -> str:
    """Puts content under a presigned address and gives its ETag, with its quotes.

    Raises Outdated, Unavailable, requests.RequestException, and RelayError for what no second attempt mends.
    """
    answer = session.put(address, data=content, headers=headers, timeout=TIMEOUT_S, allow_redirects=False)
    if answer.status_code == requests.codes.ok:
        return answer.headers["ETag"]
    reason = f"S3 answered {answer.status_code}{_code(answer.text)}"
    if answer.status_code in OLD:
        raise Outdated(f"{reason} to a presigned address: is this machine's clock right?")
    if answer.status_code in LATER or answer.status_code >= 500:
        raise Unavailable(reason)
    raise RelayError(f"{reason}, and refused the bytes: they are not what their digest says, or too many at once")


def get(session: requests.Session, address: str) -> bytes:
    """What lies under a presigned address."""
    answer = session.get(address, timeout=TIMEOUT_S)
    answer.raise_for_status()
    return answer.content


def _code(document: str) -> str:
    """S3's own word, as in `<Code>BadDigest</Code>`."""
    found = re.search(r"<Code>(\w{1,60})</Code>", document[:10_000])
    return f" ({found[1]})" if found else ""

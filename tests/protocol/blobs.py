"""Checks of a blob that the tests of all ways of uploading share."""

from __future__ import annotations

from tests.protocol.content import Blob
from tests.protocol.registry import Answer, Repository

MIB = 2**20


def assert_pushed(repository: Repository, answer: Answer, blob: Blob) -> None:
    """Checks for 201, a Location that leads to the blob, and the blob in the repository."""
    assert answer.status_code == 201, answer.text
    assert answer.headers["Docker-Content-Digest"] == blob.digest
    located = repository.send("GET", answer.headers["Location"], allow_redirects=True)
    assert (located.status_code, located.content) == (200, blob.content)
    assert repository.head_blob(blob.digest).headers["Content-Length"] == str(len(blob.content))


def assert_absent(repository: Repository, blob: Blob) -> None:
    assert repository.head_blob(blob.digest).status_code == 404


def chunks(blob: Blob, size: int) -> list[tuple[int, bytes]]:
    """Returns the blob in pieces of `size` bytes, each with its offset."""
    return [(at, blob.content[at : at + size]) for at in range(0, len(blob.content), size)]

"""Blobs through the download edge on the registry's host, as CloudFront serves them and a local stack by default."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
import requests

from tests.protocol.content import a_blob
from tests.protocol.registry import Registry
from tests.support.stack import Stack

SIZE = 2048


@pytest.fixture(scope="module")
def pushed(stack: Stack) -> Any:
    registry = Registry(stack.url, stack.admin, stack.password)
    repository, blob = registry.repository(f"{stack.admin}/edge"), a_blob(SIZE)
    repository.push_blob(blob)
    return repository, blob


def test_the_redirect_stays_on_the_host_and_needs_no_token(stack: Stack, pushed: Any) -> None:
    repository, blob = pushed
    answer = repository.send("GET", f"blobs/{blob.digest}")
    address = urljoin(answer.url, answer.headers["Location"])

    assert answer.status_code == 307
    assert urlsplit(address).netloc == stack.host
    assert requests.get(address, timeout=60).content == blob.content


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_answer_after_the_redirect_has_the_digest(pushed: Any, method: str) -> None:
    repository, blob = pushed
    answer = repository.send(method, f"blobs/{blob.digest}", allow_redirects=True)

    assert answer.status_code == 200
    assert answer.headers["Docker-Content-Digest"] == blob.digest
    assert answer.headers["Content-Length"] == str(SIZE)
    assert answer.headers["Content-Disposition"] == "attachment"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.content == (blob.content if method == "GET" else b"")


@pytest.mark.parametrize(
    ("requested", "first", "last"), [("500-1499", 500, 1499), ("-500", 1548, 2047), ("2000-", 2000, 2047)]
)
def test_ranges_work_after_the_redirect(pushed: Any, requested: str, first: int, last: int) -> None:
    repository, blob = pushed
    answer = repository.get_blob(blob.digest, Range=f"bytes={requested}")

    assert (answer.status_code, answer.content) == (206, blob.content[first : last + 1])
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{SIZE}"
    assert repository.get_blob(blob.digest, Range="bytes=5000-6000").status_code == 416


def test_an_altered_download_address_is_refused(pushed: Any) -> None:
    repository, blob = pushed
    other = a_blob(SIZE)
    repository.push_blob(other)
    answer = repository.send("GET", f"blobs/{blob.digest}")
    address = urljoin(answer.url, answer.headers["Location"])
    bare = urlsplit(address)._replace(query="").geturl()
    for altered in (
        address.replace(blob.digest, other.digest),
        bare[:-1],
        address[:-1] + ("A" if address[-1] != "A" else "B"),
    ):
        if altered == address:
            continue
        reply = requests.get(altered, timeout=60)
        assert reply.status_code in (401, 403, 404)
        assert reply.content not in (blob.content, other.content)

"""`relay serve` in front of a fake registry: what becomes of cuts, and of what is no proper HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress

import pytest
import requests

from tests.relay.client_requests import (
    connected,
)
from tests.relay.fake_registry import FakeRegistry, running


def test_a_client_that_tries_tls_first_learns_at_once_that_there_is_none(relay: str) -> None:
    with connected(relay) as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")

        assert connection.recv(100).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: gzip, chunked"],
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: five"],
        ["Content-Length: -1"],
    ],
    ids=str,
)
def test_a_body_whose_end_nobody_can_tell_is_refused(relay: str, fake: FakeRegistry, lines: list[str]) -> None:
    with connected(relay) as connection:
        head = ["PUT /v2/a/b/manifests/1 HTTP/1.1", "Host: x", *lines, "", "hello"]
        connection.sendall("\r\n".join(head).encode())
        answer = connection.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.1 400")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["errors"]
    assert fake.seen == []


@pytest.mark.parametrize(
    "body", [b"5\r\nhello\r\nzz\r\n", b"5\r\nhelloworld\r\n", b"x" * 5000], ids=lambda body: str(body[:9])
)
def test_chunks_that_cannot_be_read_end_the_connection(relay: str, fake: FakeRegistry, body: bytes) -> None:
    with connected(relay) as connection:
        connection.sendall(b"PUT /v2/a/b/manifests/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
        # A connection that ends with bytes unread may end by a reset.
        with suppress(ConnectionResetError):
            assert connection.makefile("rb").read().startswith(b"HTTP/1.1 400")

    assert fake.seen == []


def test_the_relay_says_itself_that_it_lives(make_relay: Callable[..., str]) -> None:
    with running(FakeRegistry()) as gone:
        pass

    assert requests.get(f"http://{make_relay(gone.url)}/relay/health", timeout=5).json() == {"status": "ok"}

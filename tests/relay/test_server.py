"""The relay's HTTP server: malformed requests, TLS handshakes and the health check."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress

import pytest
import requests

from relay import server
from relay.streamed_upload import UPLOADS_AT_ONCE
from tests.relay.client_requests import (
    connected,
)
from tests.relay.fake_registry import FakeRegistry, running


def test_a_tls_handshake_is_answered_with_400_at_once(relay: str) -> None:
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
def test_a_body_of_ambiguous_length_is_refused(relay: str, fake: FakeRegistry, lines: list[str]) -> None:
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
def test_malformed_chunks_end_the_connection(relay: str, fake: FakeRegistry, body: bytes) -> None:
    with connected(relay) as connection:
        connection.sendall(b"PUT /v2/a/b/manifests/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
        # A connection that is closed with unread bytes may be reset.
        with suppress(ConnectionResetError):
            assert connection.makefile("rb").read().startswith(b"HTTP/1.1 400")

    assert fake.seen == []


def test_a_body_of_which_nothing_more_arrives_ends_the_connection_and_frees_its_place(
    make_relay: Callable[..., str], fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "BODY_IDLE_S", 0.1)
    relay = make_relay(fake.url, key=b"key")
    head = b"PATCH /v2/carol/app/blobs/uploads/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    for _ in range(UPLOADS_AT_ONCE + 1):
        with connected(relay) as connection:
            connection.sendall(head + b"5\r\nhello\r\n")

            assert connection.makefile("rb").read() == b""
    assert fake.seen == []


def test_no_browser_runs_or_guesses_what_the_relay_answers(relay: str, fake: FakeRegistry) -> None:
    answers = [requests.get(f"http://{relay}{path}", timeout=5) for path in ("/relay/health", "/v2/", "/v2/a/none")]

    assert {answer.headers["Content-Security-Policy"] for answer in answers} == {"default-src 'none'; sandbox"}
    assert {answer.headers["X-Content-Type-Options"] for answer in answers} == {"nosniff"}
    assert fake.seen


def test_the_health_check_needs_no_registry(make_relay: Callable[..., str]) -> None:
    with running(FakeRegistry()) as gone:
        pass

    assert requests.get(f"http://{make_relay(gone.url)}/relay/health", timeout=5).json() == {"status": "ok"}

"""Requests over the guard's connections: the host's name stays in the request and in the certificate."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from chalicelib.domain.errors import OutgoingFailed, OutgoingRefused
from chalicelib.remote.messages import OutgoingRequest
from chalicelib.remote.pinned import send
from tests.support.fake_server import FakeServer, a_certificate, respond


def get(url: str) -> OutgoingRequest:
    return OutgoingRequest("GET", url, largest=100, timeout_s=3)


def to(port: int, seen: list[tuple[str, int, bool]]) -> Callable[..., socket.socket]:
    """Connects every host to a local port and records the host and port that were requested."""

    def connect(host: str, wanted: int, *, is_plain: bool) -> socket.socket:
        seen.append((host, wanted, is_plain))
        return socket.create_connection(("127.0.0.1", port), 3)

    return connect


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns a trusted certificate for issuer.test."""
    path = a_certificate(tmp_path / "issuer.pem", "issuer.test")
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(path))
    return path


def test_a_certificate_must_be_the_names_whatever_the_address_is(trusted: Path) -> None:
    seen: list[tuple[str, int, bool]] = []
    with FakeServer(respond, certificate=trusted).running() as server:
        answer = send(to(server.port, seen), get("https://issuer.test/x"))

        assert (answer.status, answer.headers["content-length"], answer.content) == (200, "5", b"hello")
        assert seen == [("issuer.test", 443, False)]
        assert server.asked[0][1]["host"] == "issuer.test"
        with pytest.raises(OutgoingFailed, match="certificate"):
            send(to(server.port, seen), get("https://other.test/"))


def test_a_self_signed_certificate_is_not_trusted(tmp_path: Path) -> None:
    certificate = a_certificate(tmp_path / "self.pem", "issuer.test")
    with (
        FakeServer(respond, certificate=certificate).running() as server,
        pytest.raises(OutgoingFailed, match="certificate"),
    ):
        send(to(server.port, []), get("https://issuer.test/"))


def test_an_http_connection_is_reported_as_plain() -> None:
    seen: list[tuple[str, int, bool]] = []
    with FakeServer(respond).running() as server:
        assert send(to(server.port, seen), get("http://issuer.test:81/")).content == b"hello"

    assert seen == [("issuer.test", 81, True)]


def test_a_refusal_of_the_guard_is_raised_unchanged() -> None:
    def refuse(*_: object, **__: object) -> socket.socket:
        raise OutgoingRefused("why")

    with pytest.raises(OutgoingRefused):
        send(refuse, get("https://issuer.test/"))

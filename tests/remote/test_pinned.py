"""requests over connections of the guard's: names and certificates stay what they are."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from chalicelib.domain.errors import OutgoingFailed, OutgoingRefused
from chalicelib.remote.messages import OutgoingRequest
from chalicelib.remote.pinned import ask
from tests.support.fake_server import Outside, a_certificate, say


def get(url: str) -> OutgoingRequest:
    return OutgoingRequest("GET", url, largest=100, timeout_s=3)


def to(port: int, seen: list[tuple[str, int, bool]]) -> Callable[..., socket.socket]:
    """Connects everybody to a port of ours, and writes down where they wanted to."""

    def connect(host: str, wanted: int, *, is_plain: bool) -> socket.socket:
        seen.append((host, wanted, is_plain))
        return socket.create_connection(("127.0.0.1", port), 3)

    return connect


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate of issuer.test that is trusted."""
    path = a_certificate(tmp_path / "issuer.pem", "issuer.test")
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(path))
    return path


def test_a_certificate_is_the_names_whatever_the_address(trusted: Path) -> None:
    seen: list[tuple[str, int, bool]] = []
    with Outside(say, certificate=trusted).running() as server:
        answer = ask(to(server.port, seen), get("https://issuer.test/x"))

        assert (answer.status, answer.headers["content-length"], answer.content) == (200, "5", b"hello")
        assert seen == [("issuer.test", 443, False)]
        assert server.asked[0][1]["host"] == "issuer.test"
        with pytest.raises(OutgoingFailed, match="certificate"):
            ask(to(server.port, seen), get("https://other.test/"))


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tmp_path: Path) -> None:
    certificate = a_certificate(tmp_path / "self.pem", "issuer.test")
    with (
        Outside(say, certificate=certificate).running() as server,
        pytest.raises(OutgoingFailed, match="certificate"),
    ):
        ask(to(server.port, []), get("https://issuer.test/"))


def test_a_plain_connection_is_told_apart() -> None:
    seen: list[tuple[str, int, bool]] = []
    with Outside(say).running() as server:
        assert ask(to(server.port, seen), get("http://issuer.test:81/")).content == b"hello"

    assert seen == [("issuer.test", 81, True)]


def test_a_refusal_of_the_guard_is_told_as_it_is() -> None:
    def refuse(*_: object, **__: object) -> socket.socket:
        raise OutgoingRefused("why")

    with pytest.raises(OutgoingRefused):
        ask(refuse, get("https://issuer.test/"))

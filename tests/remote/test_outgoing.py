"""Outgoing requests: which addresses may be called, and the limits of bytes and time."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.addresses import Permitted
from chalicelib.domain.errors import OutgoingFailed, OutgoingRefused
from chalicelib.remote.messages import OutgoingRequest
from chalicelib.remote.outgoing import Outgoing
from tests.support.fake_server import Answering, FakeServer, respond

LOOPBACK = Outgoing(Permitted.parse("127.0.0.0/8", "allow"))
STRICT = Outgoing(Permitted())


@pytest.fixture
def new_fake_server() -> Iterator[Callable[..., FakeServer]]:
    """Starts servers."""
    with ExitStack() as stack:
        yield lambda answering=respond, host="127.0.0.1": stack.enter_context(FakeServer(answering, host).running())


def names(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Makes every host resolve to these addresses, the next ones each time; returns the resolved hosts."""
    resolved: list[str] = []

    def look_up(host: str, port: int, *_: object, **__: object) -> list[tuple[Any, ...]]:
        resolved.append(host)
        address = answers[min(len(resolved), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in address.split()]

    real = socket.getaddrinfo

    def resolve(host: str, port: int, *more: Any, **others: Any) -> list[Any]:
        literal = host[0].isdigit() or ":" in host
        return real(host, port, *more, **others) if literal else look_up(host, port)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return resolved


def test_a_response_is_returned_unchanged(new_fake_server: Callable[..., FakeServer]) -> None:
    server = new_fake_server(lambda handler: respond(handler, b'{"a":1}', 418, X_Word="tea"))

    answer = LOOPBACK.request(OutgoingRequest("POST", server.url + "/x?y=1", {"X-Own": "1"}, b"body"))

    assert (answer.status, answer.headers["x-word"], answer.json()) == (418, "tea", {"a": 1})
    ((line, headers),) = server.asked
    assert line == "POST /x?y=1"
    assert (headers["host"], headers["x-own"]) == (f"127.0.0.1:{server.port}", "1")
    assert headers["user-agent"] == "Cloudberth"


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f.0.0.1/", "https://0177.0.0.1/",
     "https://localhost/", "https://LOCALHOST./", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://0/",
     "https://169.254.169.254/latest/meta-data/", "https://[fd00:ec2::254]/", "https://10.0.0.1/",
     "https://[64:ff9b::7f00:1]/", "https://[fe80::1]/", "https://[fe80::1%25lo]/"],
)  # fmt: skip
def test_our_own_network_is_refused_in_any_notation(url: str) -> None:
    with pytest.raises((OutgoingRefused, OutgoingFailed)) as caught:
        STRICT.get(url)

    assert isinstance(caught.value, OutgoingRefused) or "has no address" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["", "x", "https://", "https:///x", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/",
     "http://example.com/", "https://user@example.com/", "https://user:pass@example.com/", "https://a\\@127.0.0.1/",
     "https://exa mple.com/", "https://example.com/\r\nX: 1", "https://example.com:99999/", "https://ex\u00e4mple.com/",
     "https://[::1/", "https://example.com/" + "x" * 2000],
)  # fmt: skip
def test_an_invalid_url_is_refused_without_resolving_its_host(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resolved = names(monkeypatch, "8.8.8.8")

    for ask in (STRICT.check_url, STRICT.get):
        with pytest.raises(OutgoingRefused):
            ask(url)
    assert resolved == []


def test_a_name_that_resolves_to_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for inside in ("10.0.0.1", "8.8.8.8 10.0.0.1", "169.254.169.254"):
        names(monkeypatch, inside)

        with pytest.raises(OutgoingRefused, match="not on the public internet"):
            STRICT.get("https://rebound.example/")


def test_a_name_is_resolved_once_and_connected_to_that_address(
    new_fake_server: Callable[..., FakeServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = new_fake_server(host="127.0.0.2")
    resolved = names(monkeypatch, "127.0.0.2", "127.0.0.1")
    outgoing = Outgoing(Permitted.parse("127.0.0.2/32 rebound.example", "allow"))

    answer = outgoing.get(f"http://rebound.example:{first.port}/")

    assert (answer.content, resolved) == (b"hello", ["rebound.example"])
    assert first.asked[0][1]["host"] == f"rebound.example:{first.port}"


def test_a_permitted_network_does_not_allow_http_to_other_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, "127.0.0.1")

    with pytest.raises(OutgoingRefused, match="https"):
        LOOPBACK.get("http://public.example/")


def test_the_next_address_is_tried_if_one_does_not_answer(
    new_fake_server: Callable[..., FakeServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = new_fake_server(host="127.0.0.3")
    names(monkeypatch, "127.0.0.2 127.0.0.3")
    outgoing = Outgoing(Permitted.parse("two.example", "allow"))

    assert outgoing.get(f"http://two.example:{server.port}/").content == b"hello"


def test_a_redirect_is_returned_and_not_followed(new_fake_server: Callable[..., FakeServer]) -> None:
    secret = new_fake_server()
    server = new_fake_server(lambda handler: respond(handler, b"", 302, Location=secret.url))

    answer = LOOPBACK.get(server.url)

    assert (answer.status, answer.headers["location"]) == (302, secret.url)
    assert secret.asked == []


def test_a_response_has_a_limit_of_bytes(new_fake_server: Callable[..., FakeServer]) -> None:
    server = new_fake_server(lambda handler: respond(handler, b"x" * 1001))

    assert len(LOOPBACK.get(server.url, largest=1001).content) == 1001
    with pytest.raises(OutgoingFailed, match="more than 1000 bytes"):
        LOOPBACK.get(server.url, largest=1000)


def chunked(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for _ in range(50):
        handler.wfile.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
    handler.wfile.write(b"0\r\n\r\n")


def test_a_chunked_response_has_the_same_limit(new_fake_server: Callable[..., FakeServer]) -> None:
    server = new_fake_server(chunked)

    assert LOOPBACK.get(server.url).content == b"x" * 50 * 1024
    with pytest.raises(OutgoingFailed, match="more than 1000 bytes"):
        LOOPBACK.get(server.url, largest=1000)


def test_an_encoded_response_is_refused(new_fake_server: Callable[..., FakeServer]) -> None:
    server = new_fake_server(lambda handler: respond(handler, b"\x1f\x8b", Content_Encoding="gzip"))

    with pytest.raises(OutgoingFailed, match="encoded"):
        LOOPBACK.get(server.url)
    assert server.asked[0][1]["accept-encoding"] == "identity"


def dripping(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(200):
        try:
            handler.wfile.write(f"X-{number}: 1\r\n".encode())
        except OSError:
            return
        time.sleep(0.05)


def slow(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(200):
        try:
            handler.wfile.write(b"x")
        except OSError:
            return
        time.sleep(0.05)


@pytest.mark.parametrize("answering", [dripping, slow])
def test_the_total_time_is_limited_and_the_thread_ends(
    new_fake_server: Callable[..., FakeServer], answering: Answering
) -> None:
    server = new_fake_server(answering)

    with pytest.raises(OutgoingFailed, match=r"no answer within 0\.3 seconds"):
        LOOPBACK.get(server.url, timeout_s=0.3)

    deadline = time.monotonic() + 5
    while any(thread.name == "outgoing" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_slow_name_server_does_not_delay_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait(10) and [])

    with pytest.raises(OutgoingFailed, match="no answer"):
        STRICT.get("https://slow.example/", timeout_s=0.2)
    released.set()


def test_a_server_without_a_valid_response_has_failed(new_fake_server: Callable[..., FakeServer]) -> None:
    nonsense = new_fake_server(lambda handler: handler.wfile.write(b"nonsense\r\n\r\n"))
    cut = new_fake_server(lambda handler: respond(handler, b"short", Content_Length="100"))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}/"

    for url in (nonsense.url, cut.url, nobody):
        with pytest.raises(OutgoingFailed):
            LOOPBACK.get(url)


def test_a_name_without_an_address_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", none)

    with pytest.raises(OutgoingFailed, match="has no address"):
        STRICT.get("https://nobody.example/")


def test_the_environments_proxies_and_passwords_are_not_used(
    new_fake_server: Callable[..., FakeServer], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proxy, server = new_fake_server(), new_fake_server()
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))

    LOOPBACK.get(server.url)

    assert proxy.asked == []
    assert "authorization" not in server.asked[0][1]


def test_the_library_is_imported_by_who_calls_out() -> None:
    program = "import chalicelib.remote.outgoing, sys; print('requests' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"

"""Requests are sent byte by byte as given, and early or missing answers are handled."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from infra.smoke.wire import NoAnswer, exchange
from tests.infra.smoke.faults import Front, Response

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nLink: a\r\nLink: b\r\n\r\nok"


@contextmanager
def answering(answer: bytes, until: bytes = b"\r\n\r\n") -> Iterator[tuple[str, list[bytes]]]:
    """Serves one connection: reads until these bytes, answers and closes. Yields its URL and what it read."""
    read: list[bytes] = [b""]

    def serve() -> None:
        connection = listener.accept()[0]
        while until not in read[0]:
            read[0] += connection.recv(65536)
        connection.sendall(answer)
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", read
        thread.join(10)


def test_header_lines_and_the_path_are_sent_unchanged() -> None:
    with answering(OK) as (url, read):
        exchange("GET", f"{url}/v2/a%2Fb//c/?x=%3A", [("Accept", "one"), ("Accept", "two")])

    lines = read[0].decode().split("\r\n")
    assert lines[0] == "GET /v2/a%2Fb//c/?x=%3A HTTP/1.1"
    assert [line for line in lines if line.startswith("Accept")] == ["Accept: one", "Accept: two"]
    assert "Content-Length: 0" not in lines


def test_bytes_are_sent_with_their_length() -> None:
    with answering(OK, b"body") as (url, read):
        answer = exchange("PUT", url, body=b"body")

    assert b"Content-Length: 4\r\n" in read[0]
    assert answer.sent == 4


def test_an_empty_body_has_a_length_too() -> None:
    with answering(OK) as (url, read):
        exchange("POST", url)

    assert b"Content-Length: 0\r\n" in read[0]


def test_pieces_are_sent_as_chunks() -> None:
    with answering(OK, b"0\r\n\r\n") as (url, read):
        exchange("PATCH", url, body=iter([b"abc", b"d" * 17]))

    assert b"Transfer-Encoding: chunked" in read[0]
    assert read[0].endswith(b"3\r\nabc\r\n11\r\n" + b"d" * 17 + b"\r\n0\r\n\r\n")


def test_pieces_with_a_known_length_are_not_chunked() -> None:
    with answering(OK, b"cde") as (url, read):
        exchange("PUT", url, body=iter([b"ab", b"cde"]), length=5)

    assert b"Content-Length: 5\r\n" in read[0]
    assert read[0].endswith(b"abcde")


def test_an_answer_has_its_headers_joined_and_its_bytes() -> None:
    with answering(OK) as (url, _):
        answer = exchange("GET", url)

    assert (answer.status, answer.body, answer.header("link"), answer.header("none")) == (200, b"ok", "a, b", "")
    assert answer.seconds > 0


def test_an_answer_that_came_before_the_body_was_sent_is_read(fronted: Callable[..., Front]) -> None:
    with answering(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n") as (url, _):
        try:
            status = exchange("PUT", url, body=bytes(20_000_000)).status
        except NoAnswer as error:
            # The kernel may drop an answer when a reset follows; then NoAnswer is right.
            status, words = 413, str(error)
            assert "Reset" in words

    assert status == 413


def test_a_connection_that_ends_without_an_answer_is_reported() -> None:
    with answering(b"") as (url, _), pytest.raises(NoAnswer, match=r"GET 127\.0\.0\.1:\d+/v2/: RemoteDisconnected"):
        exchange("GET", f"{url}/v2/?secret=x")


def test_a_refused_connection_is_reported(fronted: Callable[..., Front]) -> None:
    with pytest.raises(NoAnswer, match="ConnectionRefusedError"):
        exchange("GET", "http://127.0.0.1:1/")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/", "http://", "nothing"])
def test_another_scheme_is_no_address(url: str) -> None:
    with pytest.raises(NoAnswer, match="no address of HTTP"):
        exchange("GET", url)


def test_redirects_are_not_followed(fronted: Callable[..., Front]) -> None:
    elsewhere = fronted(lambda request, pass_on: Response(200))
    here = fronted(lambda request, pass_on: Response(307, [("Location", elsewhere.url)]))

    assert exchange("GET", here.url).status == 307
    assert elsewhere.seen == []

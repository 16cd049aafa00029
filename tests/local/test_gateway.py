"""The gateway has the limits and the framing of API Gateway, and survives clients that leave."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import pytest
import requests
import uvicorn
import uvloop

from chalicelib.domain.digests import Digest
from chalicelib.domain.downloads import Download
from chalicelib.domain.uploads import LARGEST_BODY, ONE
from chalicelib.edge.application import RegistryApp
from chalicelib.edge.response import Reply, as_json
from chalicelib.storage.objects import ObjectStore
from infra.local import gateway as module
from infra.local.events import LARGEST_HEADERS
from infra.local.gateway import HEAVY_PLACES, Gateway, RestingServer
from infra.local.supervisor import listen
from tests.support.backends import Backend
from tests.support.builders import a_quota
from tests.support.gateway_client import LEAVES, an_edge_upload, body, exchange, left, run
from tests.support.stack import Stack, free_port

waiting = threading.Event()
app = RegistryApp("echo")


@app.route("/echo/{repository}/end", methods=["GET", "HEAD", "PUT", "PATCH"])
def echo(repository: str) -> Reply:
    """Returns what reached the app."""
    request = app.current_request
    assert request
    return as_json({"headers": dict(request.headers), "bytes": len(request.raw_body), "repository": repository})


@app.route("/v2/auth/", methods=["GET"])
def anonymous() -> Reply:
    """Answers at once, as for a caller without credentials."""
    return as_json({})


@app.route("/v2/auth", methods=["GET"])
@app.route("/api/v1/signin", methods=["POST"])
@app.route("/slow", methods=["GET"])
def slow() -> Reply:
    """Answers when the test lets it."""
    waiting.wait(10)
    return as_json({})


@pytest.fixture
def gateway(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """Makes a gateway in this process, in front of an app that returns what reaches it."""
    monkeypatch.setattr(module, "app", app)
    return Gateway(backend.services)


@pytest.mark.parametrize("is_inherited", [False, True])
@pytest.mark.parametrize("new_loop", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_accepted_connections_do_not_wait_for_acknowledgements(
    new_loop: Callable[[], asyncio.AbstractEventLoop], is_inherited: bool
) -> None:
    """Otherwise an answer in two writes waits 40 ms for the client's delayed acknowledgement."""
    listener = listen(port := free_port(), 1)[0]
    served = socket.socket(fileno=os.dup(listener.fileno())) if is_inherited else listener
    loop, accepted = new_loop(), []

    class Server(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            connection = transport.get_extra_info("socket")
            accepted.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            transport.close()

    async def serve() -> None:
        server = await loop.create_server(Server, sock=served)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.read()
        writer.close()
        server.close()

    loop.run_until_complete(serve())
    loop.close()
    listener.close()

    assert accepted == [1]


def test_header_lines_of_one_name_reach_the_app_joined(gateway: Gateway) -> None:
    lines = [("accept", "a/b"), ("accept", "c/d"), ("host", "x"), ("accept", "e/f;q=0.1")]
    status, document, _ = run(exchange(gateway, "GET", "/echo/a/b/end", lines))

    assert (status, document["repository"]) == (200, "a/b")
    assert document["headers"]["accept"] == "a/b, c/d, e/f;q=0.1"


def test_a_chunked_body_reaches_the_app_whole_with_its_length(gateway: Gateway) -> None:
    chunks = [os.urandom(1000) for _ in range(300)]
    status, document, _ = run(
        exchange(gateway, "PUT", "/echo/a/end", [("transfer-encoding", "chunked")], body=body(*chunks))
    )

    assert (status, document["bytes"]) == (200, 300_000)
    assert document["headers"]["content-length"] == "300000"
    assert "transfer-encoding" not in document["headers"]


@pytest.mark.parametrize("lines", [[("transfer-encoding", "chunked")], [("content-length", str(LARGEST_BODY))]])
def test_a_body_of_4_mib_reaches_the_app(gateway: Gateway, lines: Iterable[tuple[str, str]]) -> None:
    status, document, _ = run(exchange(gateway, "PUT", "/echo/a/end", lines, body=body(bytes(LARGEST_BODY))))

    assert (status, document["bytes"]) == (200, LARGEST_BODY)


@pytest.mark.parametrize("lines", [[("transfer-encoding", "chunked")], [("content-length", str(LARGEST_BODY + 1))]])
def test_a_larger_body_without_another_route_is_413(gateway: Gateway, lines: Iterable[tuple[str, str]]) -> None:
    chunks = body(bytes(LARGEST_BODY), b"x")[:-1]
    status, document, headers = run(exchange(gateway, "PUT", "/echo/a/end", lines, body=chunks))

    assert (status, document["errors"][0]["code"]) == (413, "SIZE_INVALID")
    assert headers[b"connection"] == b"close"


@pytest.mark.parametrize(
    ("method", "path", "length"),
    [
        ("GET", "/content/1.x/sha256:0/y", 0),
        ("PUT", "/v2/a/manifests/1", LARGEST_BODY + 1),
        ("PUT", f"/v2/a/blobs/uploads/a.{ONE}.c?digest=sha256:{'0' * 64}", LARGEST_BODY + 1),
        ("GET", "/slow/none", 0),
        ("GET", "/v2/" + "x" * LARGEST_HEADERS, 0),
    ],
)
def test_no_browser_runs_or_guesses_what_the_gateway_answers_itself(
    gateway: Gateway, method: str, path: str, length: int
) -> None:
    _, _, headers = run(exchange(gateway, method, path, [("content-length", str(length))]))

    assert headers[b"content-security-policy"] == b"default-src 'none'; sandbox"
    assert headers[b"x-content-type-options"] == b"nosniff"


@pytest.mark.parametrize("sent", [[], [b"x"], [bytes(100_000)], [bytes(3_000_000)]])
def test_a_client_that_leaves_before_its_body_is_complete_gets_no_answer_and_changes_nothing(
    gateway: Gateway, sent: list[bytes]
) -> None:
    left = [*body(*sent)[:-1], LEAVES]
    path = "/echo/a/end"

    assert run(exchange(gateway, "PUT", path, [("content-length", "4000000")], body=left)) is None


def test_clients_that_leave_release_their_places(gateway: Gateway) -> None:
    async def many() -> Any:
        left = [*body(bytes(200_000))[:-1], LEAVES]
        for _ in range(2 * HEAVY_PLACES):
            await exchange(gateway, "PUT", "/echo/a/end", [("transfer-encoding", "chunked")], body=left)
        return await exchange(gateway, "PUT", "/echo/a/end", [("content-length", "200000")], body=body(bytes(200_000)))

    assert run(many())[0] == 200


def test_a_body_that_does_not_arrive_is_408(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTEGRATION_S", 0.05)
    begun = body(b"the first bytes")[:-1]
    status, document, headers = run(exchange(gateway, "PUT", "/echo/a/end", [("content-length", "99")], body=begun))

    assert (status, headers[b"connection"]) == (408, b"close")
    assert "did not arrive within" in document["errors"][0]["message"]


def test_an_app_that_does_not_answer_in_time_is_503(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTEGRATION_S", 0.05)
    waiting.clear()
    status, document, _ = asyncio.run(_then_release(exchange(gateway, "GET", "/slow")))

    assert (status, document["errors"][0]["code"]) == (503, "UNAVAILABLE")


async def _then_release(what: Coroutine[Any, Any, Any]) -> Any:
    try:
        return await what
    finally:
        waiting.set()


@pytest.mark.parametrize("sent", [[], [b"x"], [bytes(3_000_000)]])
def test_a_client_that_leaves_in_a_put_through_the_edge_gets_no_answer(backend: Backend, sent: list[bytes]) -> None:
    lines = [("content-length", str(LARGEST_BODY + 1))]

    assert run(exchange(Gateway(backend.services), "PUT", an_edge_upload(backend), lines, body=left(*sent))) is None


def test_sign_ins_that_wait_keep_neither_reads_nor_writes_waiting(gateway: Gateway) -> None:
    waiting.clear()

    async def beside_sign_ins() -> list[int]:
        lines = [("authorization", "Basic eDp5")]
        slow = [asyncio.create_task(exchange(gateway, "GET", "/v2/auth", lines)) for _ in range(40)]
        slow += [asyncio.create_task(exchange(gateway, "POST", "/api/v1/signin", body=body(b"{}"))) for _ in range(40)]
        await asyncio.sleep(0)
        answers = [await exchange(gateway, "GET", "/echo/a/end"), await exchange(gateway, "GET", "/v2/auth/")]
        answers.append(await exchange(gateway, "PUT", "/echo/a/end", body=body(b"x")))
        waiting.set()
        await asyncio.gather(*slow)
        return [status for status, _, _ in answers]

    assert run(beside_sign_ins()) == [200, 200, 200]


def test_more_bytes_than_a_quota_leaves_are_refused_at_the_edge_before_they_come(backend: Backend) -> None:
    a_quota(backend, LARGEST_BODY + 1)
    statuses = []
    for size in (LARGEST_BODY + 1, LARGEST_BODY + 2):
        path, lines = an_edge_upload(backend), [("content-length", str(size))]
        status, document, _ = run(
            exchange(Gateway(backend.services), "PUT", path, lines, body=body(bytes(LARGEST_BODY + 1)))
        )
        statuses.append((status, document["errors"][0]["code"]))

    assert statuses == [(400, "DIGEST_INVALID"), (403, "DENIED")]
    assert f"{LARGEST_BODY + 1} bytes left" in document["errors"][0]["message"]


@pytest.mark.parametrize("route", ["upload", "download"])
def test_a_bucket_that_is_away_is_503_at_the_edge(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, route: str
) -> None:
    monkeypatch.setattr(ObjectStore, "address", lambda *_, **__: f"http://127.0.0.1:{free_port()}/")
    path, size = an_edge_upload(backend), LARGEST_BODY + 1
    if route == "download":
        download = Download.until(Digest.of(b"x"), "in/x", time.time(), 60)
        path, size = download.path(backend.services.stores.secrets.upload[0]), 0
    method, lines = "PUT" if size else "GET", [("content-length", str(size))]

    status, document, headers = run(
        exchange(Gateway(backend.services), method, path, lines, body=body(bytes(size)) if size else None)
    )

    assert (status, document["errors"][0]["code"]) == (503, "UNAVAILABLE")
    assert "bucket does not answer" in document["errors"][0]["message"]
    assert headers[b"retry-after"] == b"1"


def test_start_and_end_of_the_server_are_acknowledged(gateway: Gateway) -> None:
    async def live() -> list[str]:
        sent: list[str] = []
        messages = ["lifespan.startup", "lifespan.shutdown"]

        async def receive() -> dict[str, Any]:
            return {"type": messages.pop(0)}

        async def send(message: Any) -> None:
            sent.append(message["type"])

        await gateway({"type": "lifespan"}, receive, send)
        return sent

    assert run(live()) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def token(stack: Stack, repository: str) -> dict[str, str]:
    scope = {"scope": f"repository:{repository}:pull,push"}
    found = requests.get(f"{stack.url}/v2/auth", params=scope, auth=(stack.admin, stack.password), timeout=30)
    return {"Authorization": f"Bearer {found.json()['token']}"}


def get_of(size: int) -> bytes:
    """Returns a GET of /health whose request line and headers have this many bytes."""
    start = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: "
    return start + b"x" * (size - len(start) - 2) + b"\r\n\r\n"


@pytest.mark.parametrize(("size", "status"), [(LARGEST_HEADERS, 200), (LARGEST_HEADERS + 1, 431), (20_000, 431)])
def test_request_line_and_headers_have_10240_bytes_at_most(stack: Stack, size: int, status: int) -> None:
    with socket.create_connection(("127.0.0.1", stack.port), timeout=30) as connection:
        connection.sendall(get_of(size))
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        document = json.loads(answer.read())

    assert answer.status == status
    assert status == 200 or document["errors"][0]["code"] == "SIZE_INVALID"


def test_head_sends_the_length_of_the_body_and_no_byte_of_it(stack: Stack) -> None:
    """The next answer on the same connection follows the headers directly."""
    with socket.create_connection(("127.0.0.1", stack.port), timeout=30) as connection:
        request = b"HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.sendall(request + request.replace(b"HEAD", b"GET").replace(b"Host", b"Connection: close\r\nHost"))
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    first, second, rest = received.split(b"\r\n\r\n")

    assert first.startswith(b"HTTP/1.1 200")
    assert second.startswith(b"HTTP/1.1 200")
    assert f"content-length: {len(rest)}".encode() in first
    assert json.loads(rest)["status_code"] == 200


@pytest.mark.parametrize(
    "path", ["/content/9999999999.%C3%A9/x/y", "/content/9999999999.x/sha256:zz/y", "/content/%C2%B2.x/y/z"]
)
def test_a_download_with_a_bad_signature_is_404(stack: Stack, path: str) -> None:
    answer = requests.get(stack.url + path, timeout=30)

    assert answer.status_code == 404
    assert answer.json()["errors"][0]["code"] == "BLOB_UNKNOWN"


@pytest.mark.parametrize("content_range", ["0-99", "0-99999999"])
@pytest.mark.parametrize("size", [1000, LARGEST_BODY + 1000])
def test_a_chunk_of_any_size_must_match_its_range(stack: Stack, size: int, content_range: str) -> None:
    headers = token(stack, "admin/ranges")
    place = (
        stack.url
        + requests.post(f"{stack.url}/v2/admin/ranges/blobs/uploads/", headers=headers, timeout=30).headers["Location"]
    )
    answer = requests.patch(place, bytes(size), headers=headers | {"Content-Range": content_range}, timeout=30)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "SIZE_INVALID"


def test_an_upload_can_be_resumed_after_the_client_left(stack: Stack) -> None:
    content, headers = os.urandom(6 * 1024 * 1024), token(stack, "admin/left")
    place = requests.post(f"{stack.url}/v2/admin/left/blobs/uploads/", headers=headers, timeout=30).headers["Location"]
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=30)
    connection.putrequest("PATCH", place)
    for name, value in {**headers, "Content-Length": str(len(content))}.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(content[: 5 * 1024 * 1024])
    connection.close()
    offset = 0
    while not offset:
        answer = requests.get(stack.url + place, headers=headers, timeout=30)
        offset = int(answer.headers["Range"].rpartition("-")[2])
    place, offset = answer.headers["Location"], offset + 1
    rest = headers | {"Content-Range": f"{offset}-{len(content) - 1}"}
    closing = requests.put(
        f"{stack.url}{place}?digest={Digest.of(content)}", content[offset:], headers=rest, timeout=30
    )

    assert answer.status_code == 204
    assert closing.status_code == 201


def test_a_server_that_rests_ends_as_soon_as_it_is_told() -> None:
    async def serve() -> None:
        server = RestingServer(uvicorn.Config(lambda: None))
        running = asyncio.create_task(server.main_loop())
        await asyncio.sleep(0)
        assert not running.done()
        server.handle_exit(signal.SIGTERM, None)
        await asyncio.wait_for(running, 0.5)

    asyncio.run(serve())

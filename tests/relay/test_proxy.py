"""`relay serve` in front of a fake registry: the requests that it forwards."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable

import pytest
import requests

from relay.proxy import request_headers, response_headers
from tests.relay.client_requests import begin, close, digest_of
from tests.relay.fake_registry import GOOD, PASSWORD, USER, FakeRegistry, running

REGISTRY, OWN = "https://registry.example", "http://localhost:5050"


@pytest.mark.parametrize(
    ("name", "status", "value", "expected"),
    [
        ("Location", 202, f"{REGISTRY}/v2/a/b/blobs/uploads/x", f"{OWN}/v2/a/b/blobs/uploads/x"),
        ("Location", 202, f"{REGISTRY}:443/v2/a", f"{OWN}/v2/a"),
        ("Location", 202, "/v2/a/b/blobs/uploads/x", "/v2/a/b/blobs/uploads/x"),
        ("Location", 202, f"{REGISTRY}.evil/v2/a", f"{REGISTRY}.evil/v2/a"),
        ("Location", 202, f"{REGISTRY}:8443/v2/a", f"{REGISTRY}:8443/v2/a"),
        ("Location", 307, f"{REGISTRY}/blobs/x?Signature=y", f"{REGISTRY}/blobs/x?Signature=y"),
        ("Link", 200, f'<{REGISTRY}/v2/_catalog?last=x>; rel="next"', f'<{OWN}/v2/_catalog?last=x>; rel="next"'),
        ("WWW-Authenticate", 401, f'Bearer realm="{REGISTRY}/v2/auth"', f'Bearer realm="{OWN}/v2/auth"'),
        ("WWW-Authenticate", 401, 'Bearer realm="https://auth.example"', 'Bearer realm="https://auth.example"'),
        ("Content-Type", 200, REGISTRY, REGISTRY),
    ],
)
def test_the_registrys_address_is_replaced_by_the_relays(name: str, status: int, value: str, expected: str) -> None:
    assert response_headers([(name, value)], status, REGISTRY, OWN) == [(name, expected)]


def test_the_installations_relay_replaces_no_address() -> None:
    header = ("Location", f"{REGISTRY}/v2/a")

    assert response_headers([header], 202, REGISTRY, "") == [header]


def test_hop_by_hop_headers_are_not_forwarded() -> None:
    headers = [("Connection", "close, X-Own"), ("X-Own", "1"), ("TE", "trailers"), ("Upgrade", "h2c"), ("X-Else", "2")]

    assert request_headers([*headers, ("Host", "localhost:5050"), ("Content-Length", "3")]) == {"X-Else": "2"}
    assert response_headers([*headers, ("Strict-Transport-Security", "max-age=1")], 200, REGISTRY, OWN) == [
        ("X-Else", "2")
    ]


def test_the_challenge_names_the_relay_which_forwards_the_token_request(relay: str, fake: FakeRegistry) -> None:
    challenge = requests.get(f"http://{relay}/v2/", timeout=10).headers["WWW-Authenticate"]
    answer = requests.get(f"http://{relay}/v2/auth?service=fake", auth=(USER, PASSWORD), timeout=10)

    assert challenge == f'Bearer realm="http://{relay}/v2/auth",service="fake"'
    assert answer.json()["token"] == "good"


def test_the_location_of_an_upload_is_at_the_relay(relay: str) -> None:
    assert begin(relay).startswith(f"http://{relay}/v2/carol/app/blobs/uploads/")


def test_a_redirect_to_a_blob_is_forwarded_unchanged(relay: str, fake: FakeRegistry) -> None:
    fake.blobs["sha256:1"] = b""
    answer = requests.get(f"http://{relay}/v2/a/b/blobs/sha256:1", headers=GOOD, timeout=10, allow_redirects=False)

    assert answer.status_code == 307
    assert answer.headers["Location"] == f"{fake.url}/bucket/blob?X-Amz-Signature=%2Babc"


def test_path_query_and_headers_are_forwarded_unchanged(relay: str, fake: FakeRegistry) -> None:
    connection = http.client.HTTPConnection(relay)
    connection.putrequest("GET", "/v2/a%2Fb/x?last=%7e1&n=2&n=3", skip_accept_encoding=True)
    for name, value in (*GOOD.items(), ("Accept", "a/b"), ("Accept", "c/d"), ("Connection", "X-Mine"), ("X-Mine", "1")):
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()

    assert answer.headers["X-Echo"] == "/v2/a%2Fb/x?last=%7E1&n=2&n=3"
    assert answer.read() == b"hello"
    assert fake.seen[-1].headers["Accept"] == "a/b, c/d"
    assert fake.seen[-1].headers["Host"] == fake.url.removeprefix("http://")
    assert "X-Mine" not in fake.seen[-1].headers


def test_a_manifest_and_a_small_blob_are_forwarded_unchanged(relay: str, fake: FakeRegistry) -> None:
    kind = {**GOOD, "Content-Type": "application/vnd.oci.image.manifest.v1+json"}
    put = requests.put(f"http://{relay}/v2/a/b/manifests/1", data=b"{}", headers=kind, timeout=10)

    assert put.status_code == 201
    assert fake.manifests["1"] == (kind["Content-Type"], b"{}")
    assert close(begin(relay), digest_of(b"small"), b"small").status_code == 201
    assert fake.blobs[digest_of(b"small")] == b"small"
    assert not fake.requests_to("POST", "presigned")


def test_a_chunked_response_reaches_the_client_chunk_by_chunk(make_relay: Callable[..., str]) -> None:
    """The registry sends its second chunk only after the client has the first."""
    go_on = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n5\r\nfirst\r\n")
            assert go_on.wait(10)
            connection.sendall(b"6\r\nsecond\r\n0\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        relay = make_relay(f"http://127.0.0.1:{listening.getsockname()[1]}")
        answer = requests.get(f"http://{relay}/v2/x", timeout=10, stream=True)
        chunks = answer.raw.read_chunked()
        first = next(chunks)
        go_on.set()

        assert first == b"first"
        assert list(chunks) == [b"second"]


def test_a_request_waits_for_a_registry_that_restarts(make_relay: Callable[..., str]) -> None:
    with running(FakeRegistry()) as gone:
        port = int(gone.url.rpartition(":")[2])
    relay, answers = make_relay(gone.url), []
    asking = threading.Thread(target=lambda: answers.append(requests.get(f"http://{relay}/v2/", timeout=30)))
    asking.start()
    time.sleep(0.5)
    with running(FakeRegistry(), port):
        asking.join(20)

    assert [answer.status_code for answer in answers] == [401]


def test_a_registry_that_does_not_respond_is_reported(make_relay: Callable[..., str]) -> None:
    with running(FakeRegistry()) as gone:
        pass
    answer = requests.get(f"http://{make_relay(gone.url, patience_s=0.1)}/v2/", timeout=30)

    assert answer.status_code == 503
    assert "does not answer" in answer.json()["errors"][0]["message"]

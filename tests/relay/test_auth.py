"""The headers of its client that a relay sends in its own requests."""

import base64
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from email.message import Message
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urljoin

import pytest
import requests

from relay.auth import Credentials
from tests.relay.client_requests import LARGE, begin, close, digest_of, patch
from tests.relay.fake_registry import FakeRegistry, in_thread
from tests.support.stack import Stack

SECRET = "what only CloudFront knows"
HANDED_ON = ("Location", "WWW-Authenticate", "Content-Type", "Range", "Docker-Content-Digest")
REPOSITORY = f"admin/{os.urandom(4).hex()}"


def test_only_the_headers_that_prove_the_sender_are_forwarded() -> None:
    headers = Message()
    for name, value in (("authorization", "Bearer x"), ("ORIGIN-SECRET", "s"), ("Cookie", "c"), ("Host", "h")):
        headers[name] = value

    assert Credentials.from_request(headers).headers == {"Authorization": "Bearer x", "Origin-Secret": "s"}


def test_the_upload_token_replaces_the_clients_own() -> None:
    mine = Credentials({"Authorization": "Bearer short", "Origin-Secret": "s"})

    assert mine.with_upload_token({}) == mine
    assert mine.with_upload_token({"bearer": "long"}).headers == {"Authorization": "Bearer long", "Origin-Secret": "s"}
    assert Credentials.from_authorization("").headers == {}


@pytest.mark.parametrize("claims", [{"sub": "01ABC"}, {"sub": "01ABC", "a": "b"}, {"sub": "01ABC", "a": "bc"}])
def test_places_are_shared_by_the_account_that_a_token_names(claims: dict[str, str]) -> None:
    encoded = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")

    assert Credentials.from_authorization(f"Bearer head.{encoded}.signature").subject == "01ABC"


@pytest.mark.parametrize(
    "header", ["", "Basic eDp5", "Bearer x", "Bearer a.b.c", "Bearer a.\u00e9.c", "Bearer a.WzFd.c"]
)
def test_a_header_that_names_no_account_shares_the_places_of_nobody(header: str) -> None:
    assert Credentials.from_authorization(header).subject == ""


@pytest.mark.parametrize("largest_put", [1 << 40, 0], ids=["in one put", "in parts"])
def test_each_request_uses_the_latest_upload_token_and_location(
    relay: str, fake: FakeRegistry, largest_put: int
) -> None:
    """The client's own token may have expired by the time its bytes are in S3."""
    fake.largest_put, fake.renews_tokens, fake.hashing_rounds = largest_put, True, 2
    location = begin(relay)
    patch(location, LARGE)

    assert close(location, digest_of(LARGE)).status_code == 201
    assert fake.blobs[digest_of(LARGE)] == LARGE


class ClosedGateway(BaseHTTPRequestHandler):
    """A gateway that forwards only requests with CloudFront's secret."""

    protocol_version = "HTTP/1.1"
    behind: str

    def do(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Origin-Secret") != SECRET:
            return self.answer(403, {}, b"only CloudFront may ask")
        headers = {name: value for name, value in self.headers.items() if name != "Host"}
        url = self.behind + self.path
        response = requests.request(self.command, url, data=body, headers=headers, timeout=30, allow_redirects=False)
        return self.answer(response.status_code, response.headers, response.content)

    do_GET = do_POST = do_PUT = do  # noqa: N815  (names of the base class)

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name in HANDED_ON:
            if name in headers:
                self.send_header(name, headers[name])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def closed_gateway(stack: Stack) -> Iterator[str]:
    handler = type("ClosedStack", (ClosedGateway,), {"behind": stack.url})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with server, in_thread(partial(server.serve_forever, 0.02)):
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("way", ["whole", "chunks", "post"])
def test_the_installations_relay_works_behind_a_gateway_that_only_cloudfront_may_call(
    stack: Stack, closed_gateway: str, make_relay: Callable[..., str], way: str
) -> None:
    """The relay sends the headers that it got from CloudFront, and has no secret itself but the relay key."""
    key = bytes.fromhex(json.loads((stack.data / "secrets.json").read_text())["relay"])
    relay = f"http://{make_relay(closed_gateway, key)}"
    shown, content = {"Origin-Secret": SECRET}, os.urandom(9_000_000)
    scope = {"service": stack.url.partition("//")[2], "scope": f"repository:{REPOSITORY}:pull,push"}
    response = requests.get(f"{relay}/v2/auth", params=scope, auth=("admin", stack.password), headers=shown, timeout=30)
    shown["Authorization"] = f"Bearer {response.json()['token']}"
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    uploads = f"{relay}/v2/{REPOSITORY}/blobs/uploads/"

    assert push_by(way, uploads, digest, content, shown) == 201
    assert requests.head(f"{stack.url}/v2/{REPOSITORY}/blobs/{digest}", headers=shown, timeout=30).ok


def push_by(way: str, uploads: str, digest: str, content: bytes, shown: dict[str, str]) -> int:
    """Pushes a blob by one of the ways that clients use; returns the last status."""
    octets = {**shown, "Content-Type": "application/octet-stream"}
    if way == "post":
        return requests.post(uploads, params={"digest": digest}, data=content, headers=octets, timeout=60).status_code
    location = urljoin(uploads, requests.post(uploads, headers=shown, timeout=30).headers["Location"])
    if way == "chunks":
        answer = requests.patch(location, data=content, headers=octets, timeout=60)
        location, content = urljoin(uploads, answer.headers["Location"]), b""
    return requests.put(location, params={"digest": digest}, data=content, headers=octets, timeout=60).status_code

"""Streams go where the guard lets them, and end when nothing comes."""

import socket
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import OutgoingRefused
from chalicelib.domain.errors.upstreams import (
    UpstreamFailed,
    UpstreamUnreachable,
    UpstreamUntrusted,
)
from chalicelib.domain.upstreams import Route, UpstreamRepository
from chalicelib.remote import streams
from chalicelib.remote.registries import RegistryClient
from chalicelib.remote.streams import Streams
from tests.support.fake_server import FakeServer, a_certificate, respond
from tests.support.registry_clients import LOOPBACK, NOW, client
from tests.support.upstream import Upstream, cut, dripping, on


def test_connections_are_kept_from_request_to_request(upstream: Upstream) -> None:
    upstream.add_image("latest")
    ports = list[int]()

    def note(handler: BaseHTTPRequestHandler, _: str) -> bool:
        ports.append(handler.client_address[1])
        return False

    upstream.fault = note
    with client(upstream, Route(verify_tls=True)) as registry:
        registry._base = f"http://{upstream.host}"
        for _ in range(5):
            registry.head("latest")
            registry.manifest("latest")
    assert len(set(ports)) == 1


def test_a_redirect_is_followed_without_authorization_to_another_host(upstream: Upstream) -> None:
    content, upstream.password = b"from the store", "s3cret"
    digest = Digest.parse(upstream.add_blob(content)["digest"])
    with FakeServer(lambda handler: respond(handler, content)).running() as store:
        address = f"{store.url}/signed?x=1"

        def redirect(handler: BaseHTTPRequestHandler, path: str) -> bool:
            if "/blobs/" not in path or "Bearer" not in handler.headers.get("Authorization", ""):
                return False
            respond(handler, b"", 307, Location=address)
            return True

        upstream.fault = redirect
        with client(upstream, user="puller", password="s3cret") as registry, registry.blob(digest) as blob:
            assert b"".join(blob.chunks()) == content
        ((line, headers),) = store.asked
    assert (line, "authorization" in headers) == ("GET /signed?x=1", False)


@pytest.mark.parametrize("target", ["http://169.254.169.254/x", "https://10.0.0.1/x", "file:///etc/passwd"])
def test_a_redirect_to_our_own_network_is_refused(upstream: Upstream, target: str) -> None:
    upstream.fault = on("/blobs/", lambda handler: respond(handler, b"", 302, Location=target))
    with client(upstream) as registry, pytest.raises(OutgoingRefused), registry.blob(Digest.of(b"")):
        pass


def test_redirects_end(upstream: Upstream) -> None:
    upstream.fault = on("manifests", lambda handler: respond(handler, b"", 302, Location=handler.path + "x"))
    with client(upstream) as registry, pytest.raises(UpstreamUnreachable, match="redirects"):
        registry.head("latest")


def test_a_body_that_is_cut_is_no_blob(upstream: Upstream) -> None:
    upstream.fault = on("/blobs/", cut(b"x" * 1000, 600))
    with (
        client(upstream) as registry,
        registry.blob(Digest.of(b"")) as blob,
        pytest.raises(UpstreamUnreachable, match="ended"),
    ):
        list(blob.chunks())


def test_an_encoded_answer_is_refused(upstream: Upstream) -> None:
    upstream.fault = on("manifests", lambda handler: respond(handler, b"x", Content_Encoding="gzip"))
    with client(upstream) as registry, pytest.raises(UpstreamUnreachable, match="encoded"):
        registry.manifest("latest")


def test_a_self_signed_certificate_is_refused_until_verification_is_off(tmp_path: Path) -> None:
    upstream = Upstream(certificate=a_certificate(tmp_path / "pair.pem", "127.0.0.1"))
    with upstream.running():
        upstream.add_image("latest")
        with client(upstream, Route()) as registry, pytest.raises(UpstreamUntrusted, match="turn verify_tls off"):
            registry.head("latest")
        with client(upstream, Route(verify_tls=False)) as registry:
            assert registry.head("latest")


def test_plain_http_is_refused_until_verification_is_off(upstream: Upstream) -> None:
    upstream.add_image("latest")
    with client(upstream, Route()) as registry, pytest.raises(UpstreamUntrusted, match="does not speak TLS"):
        registry.head("latest")
    with client(upstream) as registry:
        assert registry.head("latest")


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    repository = UpstreamRepository(f"127.0.0.1:{port}", "a")
    registry = RegistryClient(Streams(LOOPBACK, Route()), repository, None, lambda: NOW)
    with pytest.raises(UpstreamUnreachable, match="does not answer"):
        registry.head("latest")


def test_headers_that_drip_are_given_up(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HEADERS_S", 0.5)
    upstream.fault = on("manifests", dripping(0.05))
    with client(upstream) as registry, pytest.raises(UpstreamFailed):
        registry.head("latest")


def test_a_body_that_stands_still_is_given_up(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "SILENCE_S", 0.3)

    def stand_still(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "5")
        handler.end_headers()
        handler.rfile.read(1)

    upstream.fault = on("/blobs/", stand_still)
    with client(upstream) as registry, registry.blob(Digest.of(b"")) as blob, pytest.raises(UpstreamUnreachable):
        list(blob.chunks())

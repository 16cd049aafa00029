"""Tests of pulls from other registries: what is asked, and what their faults lead to."""

import json
import socket
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.addresses import Permitted
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import OutgoingRefused
from chalicelib.domain.errors.upstreams import (
    UpstreamDenied,
    UpstreamFailed,
    UpstreamLied,
    UpstreamLimited,
    UpstreamUnknown,
    UpstreamUnreachable,
    UpstreamUntrusted,
)
from chalicelib.domain.media_types import OCI_MANIFEST
from chalicelib.domain.upstreams import Credentials, Route, UpstreamRepository
from chalicelib.remote import registries, streams
from chalicelib.remote.challenges import parse_challenges
from chalicelib.remote.outgoing import Outgoing
from chalicelib.remote.registries import RegistryClient
from chalicelib.remote.streams import Streams
from tests.support.fake_server import FakeServer, a_certificate, respond
from tests.support.upstream import Upstream, cut, dripping, on, once

LOOPBACK = Outgoing(Permitted.parse("127.0.0.0/8", "allow"))
NOW = 1_800_000_000


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream().running() as running:
        yield running


@contextmanager
def client(
    upstream: Upstream, route: Route | None = None, clock: Any = lambda: NOW, **credentials: Any
) -> Iterator[RegistryClient]:
    known = Credentials(credentials["user"], credentials["password"]) if credentials else None
    route = route or Route(verify_tls=False)
    repository = UpstreamRepository.of(upstream.reference)
    opened = RegistryClient(Streams(LOOPBACK, route), repository, known, clock, may_be_plain=not route.verify_tls)
    try:
        yield opened
    finally:
        opened.close()


def test_tags_are_listed_page_by_page(upstream: Upstream) -> None:
    upstream.add_image("a", "b", "c", "d", "e")
    upstream.page = 2
    with client(upstream) as registry:
        assert list(registry.tags()) == [["a", "b"], ["c", "d"], ["e"]]


def test_head_tells_what_a_tag_names_without_its_bytes(upstream: Upstream) -> None:
    digest = upstream.add_image("latest")
    with client(upstream) as registry:
        found = registry.head("latest")
        assert (str(found.digest), found.media_type, found.content) == (digest, OCI_MANIFEST, None)
        assert registry.head("missing") is None
    assert upstream.asked == {"HEAD manifests": 2}


@pytest.mark.parametrize("status", [200, 405, 501])
def test_a_registry_that_tells_no_digest_by_head_is_asked_for_the_bytes(upstream: Upstream, status: int) -> None:
    digest = upstream.add_image("latest")

    def without_digest(handler: BaseHTTPRequestHandler, _: str) -> bool:
        if handler.command == "HEAD":
            respond(handler, b"", status if status != 501 else 405)
        return handler.command == "HEAD"

    upstream.fault = without_digest
    with client(upstream) as registry:
        found = registry.head("latest")
    assert str(found.digest) == digest
    assert found.content == upstream.manifests[digest][1]


def test_a_blob_is_read_from_any_byte(upstream: Upstream) -> None:
    content = bytes(range(256)) * 4000
    digest = Digest.parse(upstream.add_blob(content)["digest"])
    with client(upstream) as registry:
        with registry.blob(digest) as blob:
            assert (blob.offset, blob.size, b"".join(blob.chunks())) == (0, len(content), content)
        with registry.blob(digest, 1000) as blob:
            assert (blob.offset, blob.size, b"".join(blob.chunks())) == (1000, len(content), content[1000:])


def test_a_registry_that_ignores_a_range_says_so_by_its_offset(upstream: Upstream) -> None:
    upstream.fault = on("/blobs/", lambda handler: respond(handler, b"whole"))
    with client(upstream) as registry, registry.blob(Digest.of(b"whole"), 3) as blob:
        assert (blob.offset, b"".join(blob.chunks())) == (0, b"whole")


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


def test_one_login_serves_all_requests_until_the_token_ends(upstream: Upstream) -> None:
    upstream.password, now = "s3cret", [NOW]
    upstream.add_image("latest")
    with client(upstream, clock=lambda: now[0], user="puller", password="s3cret") as registry:
        for _ in range(5):
            assert registry.head("latest")
        assert upstream.logins == 1
        now[0] += 290
        assert registry.head("latest")
    assert upstream.logins == 2


@pytest.mark.parametrize("known", [{}, {"user": "puller", "password": "wrong"}])
def test_wrong_credentials_are_told_without_the_password(upstream: Upstream, known: dict[str, Any]) -> None:
    upstream.password = "s3cret"
    with client(upstream, **known) as registry, pytest.raises(UpstreamDenied) as caught:
        registry.head("latest")
    assert "wrong" not in str(caught.value)
    assert caught.value.field == "external_registry_username"
    assert ("puller" if known else "say a username") in str(caught.value)


def test_basic_authentication_is_answered_and_not_repeated_when_it_is_refused(upstream: Upstream) -> None:
    upstream.add_image("latest")

    def basic(handler: BaseHTTPRequestHandler, _: str) -> bool:
        if handler.headers.get("Authorization", "").startswith("Basic cHVsbGVyOmdvb2Q="):
            return False
        respond(handler, b"{}", 401, WWW_Authenticate='Basic realm="registry"')
        return True

    upstream.fault = basic
    with client(upstream, user="puller", password="good") as registry:
        assert registry.head("latest")
    before = len(upstream.server.asked)
    with client(upstream, user="puller", password="bad") as registry, pytest.raises(UpstreamDenied):
        registry.head("latest")
    assert len(upstream.server.asked) - before <= 3


def test_a_realm_on_a_private_address_is_not_called(upstream: Upstream) -> None:
    challenge = 'Bearer realm="http://169.254.169.254/latest",service="x"'
    upstream.fault = on("manifests", lambda handler: respond(handler, b"", 401, WWW_Authenticate=challenge))
    with client(upstream, user="u", password="p") as registry, pytest.raises(OutgoingRefused):
        registry.head("latest")


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


def test_lists_that_loop_or_never_end_are_given_up(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registries, "MOST_PAGES", 5)
    number = [0]

    def endless(handler: BaseHTTPRequestHandler) -> None:
        number[0] += 1
        link = f'<?last={number[0]}>; rel="next"'
        respond(handler, json.dumps({"tags": [str(number[0])]}).encode(), Link=link)

    upstream.fault = on("tags/list", endless)
    with client(upstream) as registry, pytest.raises(UpstreamUnreachable, match="does not end"):
        list(registry.tags())
    loop = '<?n=1000>; rel="next"'
    upstream.fault = on("tags/list", lambda handler: respond(handler, b'{"tags": ["a"]}', Link=loop))
    with client(upstream) as registry, pytest.raises(UpstreamUnreachable, match="does not end"):
        list(registry.tags())


@pytest.mark.parametrize("content", [b"<html>", b"[]", b'{"tags": 5}', b"[" * 100_000])
def test_what_is_no_registry_says_so(upstream: Upstream, content: bytes) -> None:
    upstream.fault = on("tags/list", lambda handler: respond(handler, content))
    with client(upstream) as registry, pytest.raises(UpstreamUnreachable):
        list(registry.tags())


def test_an_unknown_repository_is_told(upstream: Upstream) -> None:
    upstream.fault = on("tags/list", lambda handler: respond(handler, b"{}", 404))
    with client(upstream) as registry, pytest.raises(UpstreamUnknown, match="team/app"):
        list(registry.tags())


def test_a_manifest_that_is_not_what_its_digest_says_is_refused(upstream: Upstream) -> None:
    digest = upstream.add_image("latest")
    upstream.fault = on("manifests", lambda handler: respond(handler, b'{"schemaVersion": 2}'))
    with client(upstream) as registry, pytest.raises(UpstreamLied):
        registry.manifest(digest)
    lie: dict[str, Any] = {"Docker_Content_Digest": digest}
    upstream.fault = on("manifests", lambda handler: respond(handler, b'{"schemaVersion": 2}', **lie))
    with client(upstream) as registry, pytest.raises(UpstreamLied):
        registry.manifest("latest")


def test_a_manifest_has_a_limit(upstream: Upstream) -> None:
    upstream.fault = on("manifests", lambda handler: respond(handler, b" " * (4 * 1024 * 1024 + 1)))
    with client(upstream) as registry, pytest.raises(UpstreamUnreachable, match="more than"):
        registry.manifest("latest")


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


@pytest.mark.parametrize(
    ("status", "headers", "waits_s"),
    [
        (429, {"Retry_After": "90"}, 90),
        (429, {"Retry_After": "Fri, 15 Jan 2027 08:01:40 GMT"}, 100),
        (429, {}, 60),
        (429, {"Retry_After": "99999999999"}, 6 * 3600),
        (429, {"Retry_After": "soon"}, 60),
        (503, {"Retry_After": "5"}, 5),
    ],
)
def test_a_registry_that_limits_is_obeyed(
    upstream: Upstream, status: int, headers: dict[str, Any], waits_s: int
) -> None:
    upstream.fault = on("manifests", lambda handler: respond(handler, b"", status, **headers))
    with client(upstream) as registry:
        with pytest.raises(UpstreamLimited) as caught:
            registry.head("latest")
        assert caught.value.until == NOW + waits_s
        before = len(upstream.server.asked)
        with pytest.raises(UpstreamLimited):
            registry.manifest("latest")
        assert len(upstream.server.asked) == before


def test_a_registry_that_says_that_no_request_remains_is_not_asked_again(upstream: Upstream) -> None:
    upstream.add_image("latest")
    content = upstream.manifests[upstream.tags["latest"]][1]
    told: dict[str, Any] = {"ratelimit_remaining": "0;w=21600", "Content_Type": OCI_MANIFEST}
    upstream.fault = on("manifests", lambda handler: respond(handler, content, **told))
    with client(upstream) as registry:
        assert registry.manifest("latest")
        with pytest.raises(UpstreamLimited):
            registry.manifest("latest")


def test_a_registry_that_is_broken_is_unreachable(upstream: Upstream) -> None:
    upstream.fault = on("manifests", lambda handler: respond(handler, b"oops", 500))
    with client(upstream) as registry, pytest.raises(UpstreamUnreachable, match="answers 500"):
        registry.head("latest")


def test_referrers_come_from_the_api_or_from_the_tag_that_stands_for_it(upstream: Upstream) -> None:
    subject = Digest.parse(upstream.add_image("latest"))
    about = {"mediaType": OCI_MANIFEST, "digest": str(subject), "size": 1}
    signature = upstream.add_manifest({"config": {"mediaType": "x/y", **upstream.add_blob(b"{}")}, "subject": about})
    with client(upstream) as registry:
        assert registry.referrers(subject) == [Digest.parse(signature)]
    upstream.add_index(f"sha256-{subject.hex}", images={"amd64": signature})
    upstream.fault = on("/referrers/", lambda handler: respond(handler, b"{}", 404))
    with client(upstream) as registry:
        assert registry.referrers(subject) == [Digest.parse(signature)]
        assert registry.referrers(Digest.of(b"none")) == []


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


def test_a_hundred_thousand_tags_take_little_memory(upstream: Upstream) -> None:
    page = json.dumps({"tags": [f"v{number:060d}" for number in range(1000)]}).encode()
    number = [0]

    def pages(handler: BaseHTTPRequestHandler) -> None:
        number[0] += 1
        more: dict[str, Any] = {"Link": f'<?last={number[0]}>; rel="next"'} if number[0] < 100 else {}
        respond(handler, page, **more)

    upstream.fault = on("tags/list", pages)
    tracemalloc.start()
    try:
        with client(upstream) as registry:
            assert sum(len(one) for one in registry.tags()) == 100_000
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("header", "parsed"),
    [
        ('Bearer realm="https://a/b?c=d",service="x y",scope="repository:a/b:pull,push"',
         [("bearer", {"realm": "https://a/b?c=d", "service": "x y", "scope": "repository:a/b:pull,push"})]),
        ('Basic realm="a", Bearer realm="https://t"', [("basic", {"realm": "a"}), ("bearer", {"realm": "https://t"})]),
        ("BEARER Realm=https://t, service=x", [("bearer", {"realm": "https://t", "service": "x"})]),
        (r'Basic realm="a \"quoted\" name"', [("basic", {"realm": 'a "quoted" name'})]),
        ("", []),
    ],
)  # fmt: skip
def test_challenges_are_parsed(header: str, parsed: list[tuple[str, dict[str, str]]]) -> None:
    assert [(one.scheme, dict(one.parameters)) for one in parse_challenges(header)] == parsed


def test_faults_happen_once_where_a_test_wants_that(upstream: Upstream) -> None:
    upstream.add_image("latest")
    upstream.fault = once(on("manifests", lambda handler: respond(handler, b"", 500)))
    with client(upstream) as registry, ExitStack():
        with pytest.raises(UpstreamUnreachable):
            registry.head("latest")
        assert registry.head("latest")

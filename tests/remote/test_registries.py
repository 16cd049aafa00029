"""Tests of pulls from other registries: what is asked, and what their faults lead to."""

import json
import tracemalloc
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import OutgoingRefused
from chalicelib.domain.errors.upstreams import (
    UpstreamDenied,
    UpstreamLied,
    UpstreamLimited,
    UpstreamUnknown,
    UpstreamUnreachable,
)
from chalicelib.domain.media_types import OCI_MANIFEST
from chalicelib.remote import registries
from tests.support.fake_server import respond
from tests.support.registry_clients import NOW, client
from tests.support.upstream import Upstream, on, once


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


def test_faults_happen_once_where_a_test_wants_that(upstream: Upstream) -> None:
    upstream.add_image("latest")
    upstream.fault = once(on("manifests", lambda handler: respond(handler, b"", 500)))
    with client(upstream) as registry, ExitStack():
        with pytest.raises(UpstreamUnreachable):
            registry.head("latest")
        assert registry.head("latest")


def test_a_blob_is_told_by_its_address_where_the_registry_redirects(upstream: Upstream) -> None:
    layer = upstream.add_blob(b"layer")
    with client(upstream) as registry, registry.direct_blob(Digest.parse(layer["digest"])) as found:
        assert isinstance(found, registries.UpstreamBlob)
        assert (found.size, b"".join(found.chunks())) == (5, b"layer")
    upstream.fault = on("/blobs/", lambda handler: respond(handler, b"", 302, Location="/elsewhere?x=1"))
    with client(upstream) as registry, registry.direct_blob(Digest.parse(layer["digest"])) as found:
        assert found == f"http://{upstream.host}/elsewhere?x=1"


def test_an_address_in_a_private_network_is_told_to_nobody(upstream: Upstream) -> None:
    digest = Digest.parse(upstream.add_blob(b"layer")["digest"])
    upstream.fault = on("/blobs/", lambda handler: respond(handler, b"", 302, Location="http://10.0.0.1/x"))
    with client(upstream) as registry, pytest.raises(OutgoingRefused), registry.direct_blob(digest):
        raise AssertionError("it was told")


def test_a_registry_lets_in_whom_it_knows(upstream: Upstream) -> None:
    with client(upstream) as registry:
        assert registry.lets_in()
    upstream.password = "right"
    with client(upstream) as registry:
        assert not registry.lets_in()
    with client(upstream, user="puller", password="right") as registry:
        assert registry.lets_in()
    with client(upstream, user="puller", password="wrong") as registry, pytest.raises(UpstreamDenied):
        registry.lets_in()


def test_what_is_no_registry_lets_nobody_in(upstream: Upstream) -> None:
    upstream.fault = on("/v2/", lambda handler: respond(handler, b"", 204))
    with client(upstream) as registry, pytest.raises(UpstreamUnreachable, match="does not answer as a registry"):
        registry.lets_in()

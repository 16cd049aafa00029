"""Blobs of proxy caches that are not here: small ones are sent, large ones awaited, and redirects passed on."""

from http.server import BaseHTTPRequestHandler
from threading import Event
from typing import Any

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobUnknown, Unavailable
from chalicelib.domain.names import Tag
from chalicelib.domain.proxy_caches import MOST_WAITS
from chalicelib.services.mirroring import cached_blobs
from chalicelib.services.mirroring.cached_blobs import CachedBlob
from tests.support.backends import Backend
from tests.support.builders import a_quota
from tests.support.caches import NAME, a_proxy_cache, member
from tests.support.fake_server import respond
from tests.support.mirror_runs import MirrorRunner
from tests.support.rows import repository_of
from tests.support.upstream import Upstream, cut, hang, on

SMALL, LARGE = b"small layer", b"large" * 1_000_000


@pytest.fixture
def cache(upstream: Upstream, runner: MirrorRunner, monkeypatch: pytest.MonkeyPatch) -> MirrorRunner:
    """A proxy cache whose manifest was pulled, while no worker has fetched anything."""
    monkeypatch.setattr(cached_blobs, "WAIT_S", 0.2)
    monkeypatch.setattr(cached_blobs, "LOOK_S", 0.05)
    upstream.add_image("v1", layers=(SMALL, LARGE))
    a_proxy_cache(upstream, runner.backend)
    runner.backend.services.mirroring.cached_manifests.pull(member(runner.backend), NAME, Tag("v1"))
    runner.queues.waiting.clear()
    return runner


def find(backend: Backend, content: bytes, waits: int = 0, *, is_head: bool = False) -> CachedBlob:
    room = backend.services.mirroring.cached_blobs
    found: CachedBlob = room.find(member(backend), NAME, Digest.of(content), waits, is_head=is_head)
    return found


def is_here(backend: Backend, content: bytes) -> bool:
    view = backend.services.stores.blobs.view(repository_of(backend, "acme/app").id, Digest.of(content))
    return not view.is_gone


def test_a_small_blob_is_sent_and_kept(cache: MirrorRunner) -> None:
    assert find(cache.backend, SMALL).content == SMALL
    assert is_here(cache.backend, SMALL)
    assert not cache.queues.waiting


def test_a_large_blob_is_awaited_and_then_found_here(cache: MirrorRunner) -> None:
    assert find(cache.backend, LARGE) == CachedBlob()
    assert [message["blob"] for message in cache.queues.waiting] == [str(Digest.of(LARGE))]
    cache.drain()
    location = find(cache.backend, LARGE, 1).location
    assert location is not None
    assert location.size == len(LARGE)


def test_a_client_that_waited_often_enough_is_told_to_come_again(cache: MirrorRunner) -> None:
    for waits in range(MOST_WAITS + 1):
        assert find(cache.backend, LARGE, waits) == CachedBlob()
    assert len(cache.queues.waiting) == 2
    with pytest.raises(Unavailable, match="still being fetched: try again in"):
        find(cache.backend, LARGE, MOST_WAITS + 1)


def test_a_head_sends_no_bytes(cache: MirrorRunner) -> None:
    assert find(cache.backend, SMALL, is_head=True) == CachedBlob()
    assert len(cache.queues.waiting) == 1


def redirecting(address: str) -> Any:
    def fault(handler: BaseHTTPRequestHandler, path: str) -> bool:
        if "/blobs/" in path:
            respond(handler, b"", 307, Location=address)
        return "/blobs/" in path

    return fault


def test_a_redirect_is_passed_on_while_a_worker_fetches_the_blob(upstream: Upstream, cache: MirrorRunner) -> None:
    upstream.fault = redirecting("https://cdn.example.com/layer?signature=x")
    assert find(cache.backend, LARGE).address == "https://cdn.example.com/layer?signature=x"
    upstream.fault = None
    cache.drain()
    assert is_here(cache.backend, LARGE)


def test_no_client_is_sent_into_a_private_network(upstream: Upstream, cache: MirrorRunner) -> None:
    upstream.fault = redirecting("http://169.254.169.254/latest/meta-data")
    assert find(cache.backend, LARGE) == CachedBlob()


def test_bytes_that_are_not_the_blobs_are_neither_sent_nor_kept(upstream: Upstream, cache: MirrorRunner) -> None:
    upstream.blobs[str(Digest.of(SMALL))] = b"other layer"
    with pytest.raises(Unavailable, match="other bytes"):
        find(cache.backend, SMALL)
    assert not is_here(cache.backend, SMALL)


def test_a_body_that_is_cut_is_not_sent(upstream: Upstream, cache: MirrorRunner) -> None:
    upstream.fault = on("/blobs/", cut(SMALL, 3))
    with pytest.raises(Unavailable):
        find(cache.backend, SMALL)


def test_a_blob_that_nobody_has_is_unknown(cache: MirrorRunner) -> None:
    with pytest.raises(BlobUnknown):
        find(cache.backend, b"nobody has it")


def test_a_repository_that_was_never_pulled_has_no_blobs(upstream: Upstream, runner: MirrorRunner) -> None:
    a_proxy_cache(upstream, runner.backend)
    with pytest.raises(BlobUnknown):
        find(runner.backend, SMALL)


def test_a_full_quota_keeps_nobody_from_pulling(cache: MirrorRunner) -> None:
    a_quota(cache.backend, 1, "acme")
    assert find(cache.backend, SMALL).content == SMALL
    assert not is_here(cache.backend, SMALL)


def test_a_blob_that_comes_slowly_is_left_to_a_worker(
    upstream: Upstream, cache: MirrorRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached_blobs, "PATIENCE_S", 0.05)
    gate = Event()
    upstream.fault = on("/blobs/", lambda _: hang(gate))
    assert find(cache.backend, SMALL) == CachedBlob()
    assert [message["blob"] for message in cache.queues.waiting] == [str(Digest.of(SMALL))]
    gate.set()

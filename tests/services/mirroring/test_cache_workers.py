"""Workers fetch what was pulled; what is lost, late or refused harms nobody."""

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.mirror_runs import MOST_TRIES
from chalicelib.domain.names import Tag
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import a_quota
from tests.support.caches import NAME, a_proxy_cache, member
from tests.support.fake_server import respond
from tests.support.mirror_runs import MirrorRunner, body
from tests.support.rows import repository_of
from tests.support.upstream import Upstream, on


@pytest.fixture
def pulled(upstream: Upstream, runner: MirrorRunner) -> MirrorRunner:
    """A proxy cache with a pulled image that no worker has fetched."""
    upstream.add_image("v1")
    a_proxy_cache(upstream, runner.backend)
    pull(runner.backend)
    return runner


def pull(backend: Backend) -> None:
    backend.services.mirroring.cached_manifests.pull(member(backend), NAME, Tag("v1"))


def tags(runner: MirrorRunner) -> dict[str, str]:
    return runner.tags(repository_of(runner.backend, "acme/app"))


def test_an_image_is_fetched_byte_for_byte(upstream: Upstream, pulled: MirrorRunner) -> None:
    pulled.drain()
    repository = repository_of(pulled.backend, "acme/app")
    digest = upstream.tags["v1"]
    assert body(pulled.backend, repository, digest) == upstream.manifests[digest][1]
    for blob in upstream.blobs:
        assert not pulled.backend.services.stores.blobs.view(repository.id, Digest.parse(blob)).is_gone
    invariants.check(pulled.backend)


def test_a_message_that_comes_again_asks_upstream_for_nothing(upstream: Upstream, pulled: MirrorRunner) -> None:
    message = pulled.queues.waiting[0]
    pulled.drain()
    asked = len(upstream.server.asked)
    pulled.queues.waiting.append(message)
    pulled.drain()
    assert len(upstream.server.asked) == asked


def test_a_lost_message_is_sent_again_by_the_next_pull(upstream: Upstream, pulled: MirrorRunner) -> None:
    pulled.queues.waiting.clear()
    pull(pulled.backend)
    pulled.drain()
    assert tags(pulled) == upstream.tags


def test_a_late_message_does_not_move_a_tag_back(upstream: Upstream, pulled: MirrorRunner) -> None:
    late = pulled.queues.waiting.popleft()
    upstream.add_image("v1", layers=(b"new",))
    pulled.backend.clock.ahead_s += 3601
    pull(pulled.backend)
    pulled.drain()
    pulled.queues.waiting.append(late)
    pulled.drain()
    assert tags(pulled) == upstream.tags


def test_a_worker_without_time_leaves_the_work_to_the_next(upstream: Upstream, pulled: MirrorRunner) -> None:
    pulled.work_one(lambda: 10.0)
    assert (tags(pulled), len(pulled.queues.waiting)) == ({}, 1)
    pulled.drain()
    assert tags(pulled) == upstream.tags


@pytest.mark.parametrize("status", [404, 429, 500])
def test_what_upstream_does_not_send_is_left(upstream: Upstream, pulled: MirrorRunner, status: int) -> None:
    upstream.fault = on("/manifests/", lambda handler: respond(handler, b"{}", status))
    pulled.drain()
    assert tags(pulled) == {}


def test_what_has_no_room_is_left(upstream: Upstream, pulled: MirrorRunner) -> None:
    a_quota(pulled.backend, 1, "acme")
    pulled.drain()
    assert tags(pulled) == {}
    assert upstream.asked["GET blobs"] >= 1


def test_a_removed_cache_or_repository_fetches_nothing(upstream: Upstream, pulled: MirrorRunner) -> None:
    backend, message = pulled.backend, pulled.queues.waiting[0]
    asked = len(upstream.server.asked)
    backend.services.mirroring.proxy_caches.delete(backend.signed_in("admin"), "acme")
    pulled.drain()
    backend.services.registry.repositories.delete(backend.signed_in("admin"), NAME)
    pulled.queues.waiting.append(message)
    pulled.drain()
    pulled.queues.waiting.append({"cached": "01J00000000000000000000000", "blob": "x"})
    pulled.drain()
    assert len(upstream.server.asked) == asked


def test_what_comes_too_slowly_is_given_up_after_five_workers(pulled: MirrorRunner) -> None:
    for _ in range(MOST_TRIES):
        assert len(pulled.queues.waiting) == 1
        pulled.work_one(lambda: 10.0)
    assert not pulled.queues.waiting

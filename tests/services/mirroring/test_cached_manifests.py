"""Manifests of proxy caches come from the other registry once, and from here while they are fresh or it fails."""

from collections.abc import Callable
from threading import Event

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import (
    ManifestUnknown,
    NameUnknown,
    Unauthenticated,
    Unavailable,
    UpstreamManifestUnknown,
)
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import ANONYMOUS
from chalicelib.domain.repositories import Visibility
from chalicelib.services.mirroring import cached_manifests
from chalicelib.services.registry.manifests import Pulled
from tests.support.backends import Backend
from tests.support.builders import token_actor
from tests.support.caches import NAME, a_proxy_cache, member
from tests.support.fake_server import respond
from tests.support.mirror_runs import MirrorRunner
from tests.support.rows import events, repository_of, rows_like
from tests.support.upstream import Upstream, hang, on


def pull(backend: Backend, reference: str = "v1") -> Pulled:
    manifests, actor = backend.services.mirroring.cached_manifests, member(backend)
    pulled = manifests.pull(actor, NAME, _parsed(reference))
    assert Digest.of(manifests.body(actor, NAME, pulled)) == pulled.digest
    found: Pulled = pulled
    return found


def find(backend: Backend, reference: str = "v1") -> Pulled:
    found: Pulled = backend.services.mirroring.cached_manifests.find(member(backend), NAME, _parsed(reference))
    return found


def _parsed(reference: str) -> "Tag | Digest":
    return Digest.parse(reference) if ":" in reference else Tag.parse(reference)


def answering(status: int) -> Callable[[Upstream], None]:
    def fault(upstream: Upstream) -> None:
        upstream.fault = on("manifests", lambda handler: respond(handler, b"{}", status, Retry_After="30"))

    return fault


def a_stale_tag(upstream: Upstream, runner: MirrorRunner) -> str:
    """Has an image pulled and fetched, so long ago that its tag is asked for again; returns the digest."""
    digest, backend = upstream.add_image("v1"), runner.backend
    a_proxy_cache(upstream, backend)
    pull(backend)
    runner.drain()
    backend.clock.ahead_s += 3601
    return digest


def test_the_first_pull_is_sent_from_upstream_and_the_next_from_here(upstream: Upstream, runner: MirrorRunner) -> None:
    digest, backend = upstream.add_image("v1"), runner.backend
    a_proxy_cache(upstream, backend)

    assert str(pull(backend).digest) == digest
    assert runner.tags(repository_of(backend, "acme/app")) == {}
    runner.drain()
    asked = len(upstream.server.asked)

    assert str(pull(backend).digest) == digest
    assert str(find(backend).digest) == digest
    assert str(pull(backend, digest).digest) == digest
    assert len(upstream.server.asked) == asked
    assert runner.tags(repository_of(backend, "acme/app")) == {"v1": digest}
    assert [event["performer"] for event in events(backend, "create_repo")] == ["member"]
    assert [event["performer"] for event in events(backend, "push_repo")] == ["acme+(proxy cache)"]


def test_a_fresh_pull_costs_three_reads(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("v1")
    a_proxy_cache(upstream, runner.backend)
    pull(runner.backend)
    runner.drain()
    actor = member(runner.backend)
    runner.backend.calls.take()
    runner.backend.services.mirroring.cached_manifests.pull(actor, NAME, Tag("v1"))
    assert runner.backend.calls.take() == ["GetItem", "GetItem", "BatchGetItem"]


def test_a_stale_tag_is_asked_for_by_head_alone(upstream: Upstream, runner: MirrorRunner) -> None:
    digest, backend = upstream.add_image("v1"), runner.backend
    a_proxy_cache(upstream, backend)
    pull(backend)
    runner.drain()
    upstream.server.asked.clear()
    backend.clock.ahead_s += 3601

    assert str(pull(backend).digest) == digest
    assert upstream.asked == {"HEAD manifests": 1}
    assert not runner.queues.waiting


def test_a_tag_that_moved_is_served_as_upstream_has_it_and_moved_here(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("v1")
    backend = runner.backend
    a_proxy_cache(upstream, backend)
    pull(backend)
    runner.drain()
    moved = upstream.add_image("v1", layers=(b"new",))
    assert str(pull(backend).digest) != moved
    backend.clock.ahead_s += 3601
    assert str(pull(backend).digest) == moved
    runner.drain()
    assert runner.tags(repository_of(backend, "acme/app")) == {"v1": moved}


@pytest.mark.parametrize("status", [500, 429, 401, 404])
def test_what_is_here_is_served_where_upstream_fails_but_not_what_it_says_is_gone(
    upstream: Upstream, runner: MirrorRunner, status: int
) -> None:
    digest, backend = a_stale_tag(upstream, runner), runner.backend
    answering(status)(upstream)
    if status == 404:
        with pytest.raises(ManifestUnknown):
            pull(backend)
        return
    assert str(pull(backend).digest) == digest
    assert str(find(backend).digest) == digest


@pytest.mark.parametrize(
    ("status", "error", "why"),
    [
        (500, Unavailable, "answers 500: try again in a moment"),
        (429, Unavailable, "limits how often it is asked: try again in (30|2[0-9]) seconds"),
        (401, UpstreamManifestUnknown, "no manifest v1 in acme/app: .* refuses access"),
        (404, ManifestUnknown, "^no manifest v1 in acme/app$"),
    ],
)
def test_what_is_not_here_and_cannot_be_fetched_says_why_and_leaves_nothing(
    upstream: Upstream, runner: MirrorRunner, status: int, error: type[Exception], why: str
) -> None:
    a_proxy_cache(upstream, runner.backend)
    answering(status)(upstream)
    for ask in (pull, find):
        with pytest.raises(error, match=why):
            ask(runner.backend)
    assert rows_like(runner.backend, "N#", "REPO#app") == []


def test_a_limit_is_told_to_all_and_upstream_left_alone(upstream: Upstream, runner: MirrorRunner) -> None:
    a_proxy_cache(upstream, runner.backend)
    answering(429)(upstream)
    with pytest.raises(Unavailable):
        pull(runner.backend)
    asked = len(upstream.server.asked)
    with pytest.raises(Unavailable, match="try again in"):
        pull(runner.backend, "v2")
    assert len(upstream.server.asked) == asked


def test_an_index_and_its_images_come_one_by_one(upstream: Upstream, runner: MirrorRunner) -> None:
    backend, arm = runner.backend, upstream.add_image("arm", architecture="arm64")
    amd = upstream.add_image("amd", layers=(b"amd",))
    index = upstream.add_index("v1", images={"amd64": amd, "arm64": arm})
    a_proxy_cache(upstream, backend)

    assert str(pull(backend).digest) == index
    assert str(pull(backend, amd).digest) == amd
    runner.drain()

    repository, asked = repository_of(backend, "acme/app"), len(upstream.server.asked)
    assert runner.tags(repository) == {"v1": index}
    assert str(pull(backend, amd).digest) == amd
    assert len(upstream.server.asked) == asked
    assert backend.services.stores.manifests.get(repository.id, Digest.parse(arm)) is None
    assert str(pull(backend, arm).digest) == arm


def test_head_of_what_is_not_here_needs_no_bytes(upstream: Upstream, runner: MirrorRunner) -> None:
    digest = upstream.add_image("v1")
    a_proxy_cache(upstream, runner.backend)
    found = find(runner.backend)
    assert (str(found.digest), found.size) == (digest, len(upstream.manifests[digest][1]))
    assert upstream.asked["GET manifests"] == 0
    runner.drain()
    assert runner.tags(repository_of(runner.backend, "acme/app")) == {"v1": digest}


def test_members_pull_everything_strangers_nothing_and_nobody_pushes(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("v1")
    backend = runner.backend
    a_proxy_cache(upstream, backend)
    backend.user("stranger")
    pull(backend)
    tokens, manifests = backend.services.identity.tokens, backend.services.mirroring.cached_manifests

    def granted(name: str, repository: str) -> set[str]:
        token = tokens.issue((name, "password"), None, [f"repository:{repository}:pull,push,delete"]).token
        return set(tokens.believe(token).grants[repository].actions)

    for repository in ("acme/app", "acme/new"):
        assert granted("member", repository) == {"pull"}
        assert granted("admin", repository) == {"pull"}
        assert granted("stranger", repository) == set()
    asked = len(upstream.server.asked)
    for actor in (token_actor(backend, "stranger", "acme/app"), ANONYMOUS):
        with pytest.raises(Unauthenticated):
            manifests.pull(actor, NAME, Tag("v1"))
    assert len(upstream.server.asked) == asked


def test_who_reads_a_public_repository_has_nothing_fetched(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("v1")
    backend = runner.backend
    a_proxy_cache(upstream, backend)
    pull(backend)
    runner.drain()
    backend.services.registry.repositories.change_visibility(backend.signed_in("admin"), NAME, Visibility.PUBLIC)
    backend.user("stranger")
    access = backend.services.security.access
    assert not access.is_cached(token_actor(backend, "stranger", "acme/app"), NAME)
    assert access.is_cached(member(backend), NAME)
    assert not access.is_cached(token_actor(backend, "admin", "admin/app"), RepositoryName.parse("admin/app"))


def test_without_the_proxy_cache_an_older_token_finds_what_is_here_alone(
    upstream: Upstream, runner: MirrorRunner
) -> None:
    upstream.add_image("v1")
    backend = runner.backend
    a_proxy_cache(upstream, backend)
    pull(backend)
    runner.drain()
    actor = member(backend)
    backend.services.mirroring.proxy_caches.delete(backend.signed_in("admin"), "acme")
    with pytest.raises(NameUnknown):
        backend.services.mirroring.cached_manifests.pull(actor, NAME, Tag("v1"))
    assert runner.tags(repository_of(backend, "acme/app")) == upstream.tags


def test_a_tag_that_moved_is_served_as_it_is_here_while_its_manifest_cannot_be_had(
    upstream: Upstream, runner: MirrorRunner
) -> None:
    digest, backend = a_stale_tag(upstream, runner), runner.backend
    moved = upstream.add_image("v1", layers=(b"new",))
    upstream.fault = on(f"/manifests/{moved}", lambda handler: respond(handler, b"", 429))
    assert str(pull(backend).digest) == digest
    asked = len(upstream.server.asked)
    assert str(pull(backend).digest) == digest
    assert len(upstream.server.asked) == asked

    upstream.fault = None
    backend.clock.ahead_s += 121
    assert str(pull(backend).digest) == moved


def test_upstream_that_hangs_is_waited_for_once(
    upstream: Upstream, runner: MirrorRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest, backend = a_stale_tag(upstream, runner), runner.backend
    monkeypatch.setattr(cached_manifests, "PATIENCE_S", 0.5)
    gate = Event()
    upstream.fault = on("manifests", lambda _: hang(gate))
    assert str(pull(backend).digest) == digest
    asked = len(upstream.server.asked)
    assert str(pull(backend).digest) == digest
    assert len(upstream.server.asked) == asked
    gate.set()

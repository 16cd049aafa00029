"""Tags are looked up without reading what they name."""

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.mirrors import MirrorSource, NamePatterns
from chalicelib.services.mirroring.comparing import ListedTags, slices, tag_names, tags_here, tags_there
from tests.support.backends import Backend
from tests.support.builders import push_image
from tests.support.mirror_runs import MirrorRunner
from tests.support.rows import repository_of
from tests.support.upstream import Upstream


def nothing() -> None:
    """Goes on."""


def source(upstream: Upstream) -> MirrorSource:
    return MirrorSource(upstream.reference, verify_tls=False)


def test_names_are_listed_only_for_patterns_with_wildcards(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("v1", "v2", "latest", "not a tag")
    with runner.backend.services.mirroring.upstreams.opened(source(upstream)) as registry:
        assert tag_names(registry, NamePatterns(["v*", "missing"]), nothing) == ListedTags(["v1", "v2"], refused=1)
        before = len(upstream.server.asked)
        assert tag_names(registry, NamePatterns(["v9", "latest"]), nothing) == ListedTags(["latest", "v9"])
        assert len(upstream.server.asked) == before


def test_tags_that_upstream_does_not_have_are_left_out(upstream: Upstream, runner: MirrorRunner) -> None:
    digest = upstream.add_image("v1")
    with runner.backend.services.mirroring.upstreams.opened(source(upstream)) as registry:
        assert tags_there(registry, ["v1", "v2"], nothing) == {"v1": Digest.parse(digest)}


def test_one_failure_ends_the_lookup(upstream: Upstream, runner: MirrorRunner) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with (
        runner.backend.services.mirroring.upstreams.opened(source(upstream)) as registry,
        pytest.raises(KeyboardInterrupt),
    ):
        tags_there(registry, [str(number) for number in range(100)], stop)


def test_tags_here_are_those_that_are_alive(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    repository = repository_of(backend)
    assert tags_here(backend.services.stores.tags, repository.id, backend.clock()) == {"v1": manifest.digest}


def test_slices_go_on_after_a_name() -> None:
    names = [f"{number:04d}" for number in range(2500)]
    assert [len(some) for some in slices(names, "")] == [1000, 1000, 500]
    assert [some[0] for some in slices(names, "1999")] == ["2000"]

"""Fixtures of mirrors: an upstream, and a backend that may call it."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.backends import Backend
from tests.support.mirror_runs import MirrorRunner
from tests.support.namespaces import UpstreamNamespace
from tests.support.upstream import Upstream


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream().running() as running:
        yield running


@pytest.fixture
def namespace() -> Iterator[UpstreamNamespace]:
    with UpstreamNamespace(names=["a", "b", "deep/c"]).running() as running:
        assert isinstance(running, UpstreamNamespace)
        running.add_image("v1")
        yield running


@pytest.fixture
def mirrored(new_backend: Callable[..., Backend]) -> Backend:
    return new_backend(outgoing_allow="127.0.0.0/8")


@pytest.fixture
def runner(mirrored: Backend) -> MirrorRunner:
    return MirrorRunner(mirrored)

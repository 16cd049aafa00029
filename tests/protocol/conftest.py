from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

import pytest

from tests.protocol.content import Blob, a_blob, a_config
from tests.protocol.registry import Registry, Repository
from tests.support.stack import Stack


@pytest.fixture(scope="session")
def registry(stack: Stack) -> Registry:
    """The registry as its first user sees it."""
    return Registry(stack.url, stack.admin, stack.password)


@pytest.fixture(scope="session")
def redirecting_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A second stack that redirects to presigned addresses of S3 instead of serving blobs itself."""
    started = Stack.start(tmp_path_factory.mktemp("redirecting"), CLOUDBERTH_DOWNLOADS="redirect")
    yield started
    started.stop()


@pytest.fixture(scope="session")
def stranger(stack: Stack) -> Registry:
    """The registry as an anonymous caller sees it."""
    return Registry(stack.url)


@pytest.fixture(scope="session")
def neighbour(stack: Stack) -> Registry:
    """The registry as a second user sees it, who has no right in the first one's namespace."""
    name, password = f"neighbour-{secrets.token_hex(4)}", secrets.token_hex(12)
    stack.account("user", name, password)
    return Registry(stack.url, name, password)


@pytest.fixture
def repository(registry: Registry, request: pytest.FixtureRequest) -> Repository:
    """A repository of this test's own, which does not exist yet."""
    return registry.repository(unique_name(registry.user, request.node.name))


@pytest.fixture
def another_repository(registry: Registry, request: pytest.FixtureRequest) -> Repository:
    """A second repository in the same namespace."""
    return registry.repository(unique_name(registry.user, f"other-{request.node.name}"))


@pytest.fixture
def blobs(repository: Repository) -> tuple[Blob, Blob]:
    """A pushed config and a pushed layer, for manifests that a test builds itself."""
    config, layer = a_config(), a_blob()
    repository.push_blob(config)
    repository.push_blob(layer)
    return config, layer


def unique_name(namespace: str, test: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", test.lower().removeprefix("test_"))[:50].strip("-")
    return f"{namespace}/{slug}-{secrets.token_hex(4)}"

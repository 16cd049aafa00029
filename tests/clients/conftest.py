"""Fixtures of clients, each with its own home and logged in to the stack."""

import importlib
import re
import shutil
import types
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.clients import daemons
from tests.clients.images import Layout
from tests.clients.needs import require
from tests.clients.programs import Program, make_environment
from tests.clients.registry import Registry
from tests.support.stack import Stack


@pytest.fixture(scope="session")
def client() -> Callable[[str], None]:
    """Requires a client by name: without it the test is skipped, or fails if CLOUDBERTH_NO_SKIPS is set."""
    return require


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """One directory for all data of the clients, in `/tmp` because the path of a socket has to be short."""
    with fresh_directory(Path("/tmp"), "cb-clients") as directory:
        yield directory


@contextmanager
def fresh_directory(parent: Path, kind: str) -> Iterator[Path]:
    """Yields an empty directory and removes it afterwards; podman refuses the names of `tempfile`."""
    directory = parent / f"{kind}-{uuid.uuid4().hex[:8]}"
    directory.mkdir(mode=0o700)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def mirroring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that may call this machine."""
    started = Stack.start(tmp_path_factory.mktemp("mirroring"), CLOUDBERTH_OUTGOING_ALLOW="127.0.0.0/8 localhost")
    yield started
    started.stop()


@pytest.fixture(scope="session")
def environment(home: Path, stack: Stack) -> dict[str, str]:
    return make_environment(home, stack.host)


@pytest.fixture(scope="session")
def registry(stack: Stack) -> Registry:
    return Registry(stack)


@pytest.fixture
def repository(request: pytest.FixtureRequest, stack: Stack) -> str:
    """A repository name that no other test has."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).removeprefix("test-")[:60].strip("-")
    return f"{stack.admin}/{words}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def reference(repository: str, stack: Stack) -> str:
    """The repository with its host, without a tag."""
    return f"{stack.host}/{repository}"


@pytest.fixture
def layout(home: Path) -> Iterator[Layout]:
    """An empty image layout, whose large layers are deleted when the test ends."""
    with fresh_directory(home, "layout") as directory:
        yield Layout(directory)


@pytest.fixture(scope="session")
def skopeo(client: Callable[[str], None], environment: dict[str, str], stack: Stack) -> Program:
    client("skopeo")
    program = Program(("skopeo",), environment)
    program("login", "--username", stack.admin, "--password-stdin", stack.host, typed=stack.password)
    return program


@pytest.fixture
def podman(client: Callable[[str], None], environment: dict[str, str], home: Path, stack: Stack) -> Iterator[Program]:
    """podman with an empty storage, logged in."""
    client("podman")
    with fresh_directory(home, "podman") as storage:
        options = ("--tmpdir", str(storage / "tmp"), "--cgroup-manager", "cgroupfs", "--events-backend", "file")
        program = Program(("podman", *_storage_options(storage), *options), environment)
        program("login", "--username", stack.admin, "--password-stdin", stack.host, typed=stack.password)
        yield program


@pytest.fixture
def buildah(client: Callable[[str], None], environment: dict[str, str], home: Path, stack: Stack) -> Iterator[Program]:
    """buildah with an empty storage, logged in."""
    client("buildah")
    with fresh_directory(home, "buildah") as storage:
        program = Program(("buildah", *_storage_options(storage)), environment)
        program("login", "--username", stack.admin, "--password-stdin", stack.host, typed=stack.password)
        yield program


def _storage_options(storage: Path) -> tuple[str, ...]:
    return ("--root", str(storage / "root"), "--runroot", str(storage / "run"), "--storage-driver", "vfs")


@pytest.fixture(scope="session")
def containerd_socket(client: Callable[[str], None], environment: dict[str, str], home: Path) -> Iterator[Path]:
    client("containerd")
    with daemons.containerd(home / "containerd", environment) as socket:
        yield socket


@pytest.fixture
def ctr(containerd_socket: Path, environment: dict[str, str]) -> Program:
    """containerd's command line, in an empty namespace."""
    options = ("--address", str(containerd_socket), "--namespace", f"test-{uuid.uuid4().hex[:8]}")
    return Program(("ctr", *options), environment)


@pytest.fixture(scope="session")
def docker(
    client: Callable[[str], None],
    environment: dict[str, str],
    home: Path,
    request: pytest.FixtureRequest,
    stack: Stack,
) -> Iterator[Program]:
    """docker with its own daemon, logged in."""
    client("docker")
    socket: Path = request.getfixturevalue("containerd_socket")
    with daemons.dockerd(home / "docker", socket, environment) as host:
        program = Program(("docker",), {**environment, "DOCKER_HOST": host})
        program("login", "--username", stack.admin, "--password-stdin", stack.host, typed=stack.password)
        yield program


@pytest.fixture
def make_oras(
    client: Callable[[str], None], stack: Stack, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Returns a function that makes a client of the library, logged in if it gets a password."""
    client("oras")
    monkeypatch.setenv("HOME", str(home))
    library = importlib.import_module("oras.client")
    # It retries for two minutes before it reports a refusal.
    monkeypatch.setattr("oras.decorator.time", types.SimpleNamespace(sleep=lambda _: None))

    def make(password: str | None = None, name: str = stack.admin) -> Any:
        oras = library.OrasClient(hostname=stack.host, insecure=True)
        if password is not None:
            oras.auth.set_basic_auth(name, password)
        return oras

    return make

"""What every test may ask for: a stack of processes, a backend over a fresh table, and nothing outside this machine."""

import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.backends import Backend, backing
from tests.support.stack import Stack

# Coverage (`--cov`) doubles the time of what it measures. So it measures what the tests of single modules reach; the
# tests of the whole registry run without it.
MEASURED = {"domain", "storage", "remote", "services", "edge", "relay"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Takes coverage off all other tests."""
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).parts[0] not in MEASURED:
            item.add_marker(pytest.mark.no_cover)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running local stack, one for each test process."""
    started = Stack.start(tmp_path_factory.mktemp("stack"))
    yield started
    started.stop()


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mapping[str, str], Path]]:
    """DynamoDB and S3 for the backends of a test process: the environment that leads there, and a directory."""
    data = tmp_path_factory.mktemp("aws")
    with backing(data) as environment:
        yield environment, data


@pytest.fixture
def new_backend(aws: tuple[Mapping[str, str], Path], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Backend]:
    """Builds a backend with settings of its own."""
    environment, data = aws
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def build(**settings: Any) -> Backend:
        return Backend(environment, data, **settings)

    return build


@pytest.fixture
def backend(new_backend: Callable[..., Backend]) -> Backend:
    """A backend with the default settings."""
    return new_backend()


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets no test reach another machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        host = str(address[0]) if isinstance(address, tuple) else "127."
        assert host.startswith("127.") or host in ("localhost", "::1"), f"a test wanted to reach {host}"
        connect(self, address)  # type: ignore[arg-type]  # whatever the caller gave

    monkeypatch.setattr(socket.socket, "connect", guarded)

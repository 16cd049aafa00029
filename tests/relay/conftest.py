"""Fixtures: a fake registry, and a relay in front of it."""

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from relay.progress import ProgressBoard
from relay.proxy import ServeSettings, make_server
from tests.relay.fake_registry import FakeRegistry, in_thread, running


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with running(FakeRegistry()) as started:
        yield started


@pytest.fixture
def messages() -> io.StringIO:
    """The messages that relays log."""
    return io.StringIO()


@pytest.fixture
def make_relay(messages: io.StringIO, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Starts a relay in front of a registry and returns its address."""
    with ExitStack() as stack:

        def make(registry: str, key: bytes = b"", patience_s: float = 20) -> str:
            settings = ServeSettings(registry, ("127.0.0.1", 0), tmp_path / "spool", key, patience_s)
            server = make_server(settings, ProgressBoard(messages))
            stack.callback(server.server_close)
            stack.enter_context(in_thread(partial(server.serve_forever, 0.02)))
            stack.callback(server.shutdown)
            return f"127.0.0.1:{server.server_address[1]}"

        yield make


@pytest.fixture
def relay(make_relay: Callable[..., str], fake: FakeRegistry) -> str:
    """The host and port of a relay without a key, in front of the fake."""
    return make_relay(fake.url)

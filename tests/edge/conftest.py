"""Clients of the app over backends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.app_client import AppClient, opened
from tests.support.backends import Backend


@pytest.fixture
def new_app_client(
    new_backend: Callable[..., Backend], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., AppClient]]:
    """Builds a client of the app over a backend with settings of its own, which the app reads from the environment."""

    with ExitStack() as clients:
        yield lambda **chosen: clients.enter_context(opened(new_backend(**chosen), monkeypatch))


@pytest.fixture
def app_client(new_app_client: Callable[..., AppClient]) -> AppClient:
    """A client of the app over a backend with the default settings."""
    return new_app_client()

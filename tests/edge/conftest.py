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
    """Returns a function that makes a client of the app over a backend with the given settings."""

    with ExitStack() as doors:
        yield lambda **settings: doors.enter_context(opened(new_backend(**settings), monkeypatch))


@pytest.fixture
def app_client(new_app_client: Callable[..., AppClient]) -> AppClient:
    """Returns a client of the app over a backend with the default settings."""
    return new_app_client()

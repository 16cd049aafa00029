"""Doors to backends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.app_client import Door, opened
from tests.support.backends import Backend


@pytest.fixture
def new_door(new_backend: Callable[..., Backend], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Door]]:
    """Builds a door to a backend with settings of its own, which the app reads from the environment as ever."""

    with ExitStack() as doors:
        yield lambda **chosen: doors.enter_context(opened(new_backend(**chosen), monkeypatch))


@pytest.fixture
def door(new_door: Callable[..., Door]) -> Door:
    """The door to a backend with the default settings."""
    return new_door()

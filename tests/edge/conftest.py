"""Doors to houses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chalicelib import settings as setting
from chalicelib import wiring
from tests.doors import Door
from tests.houses import House


@pytest.fixture
def new_door(new_house: Callable[..., House], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Door]]:
    """Builds a door to a house with settings of its own, which the app reads from the environment as ever."""

    def build(**chosen: Any) -> Door:
        house = new_house(**chosen)
        for name in setting.Settings.__dataclass_fields__:
            value = getattr(house.settings, name)
            text = {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
            monkeypatch.setenv(f"CLOUDBERTH_{name.upper()}", text)
        # The house has the services already, with a clock to be moved: the app shall not build them a second time.
        monkeypatch.setattr(wiring, "Services", lambda _: house.services)
        setting.settings.cache_clear()
        wiring.services.cache_clear()
        return Door(house)

    yield build
    setting.settings.cache_clear()
    wiring.services.cache_clear()


@pytest.fixture
def door(new_door: Callable[..., Door]) -> Door:
    """The door to a house with the default settings."""
    return new_door()

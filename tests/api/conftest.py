"""One world for each test file. Tests share it, so none relies on content that another may change."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.api.populated_registry import PopulatedRegistry
from tests.support.app_client import opened
from tests.support.backends import Backend


@pytest.fixture(scope="module")
def populated(aws: tuple[Mapping[str, str], Path]) -> Iterator[PopulatedRegistry]:
    """A backend with users, an organization, and one of each resource that a path may name."""
    environment, data = aws
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with opened(Backend(environment, data), patch) as app_client:
            yield PopulatedRegistry(app_client)

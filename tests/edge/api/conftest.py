"""Who asks in the tests of the API."""

from collections.abc import Callable

import pytest

from chalicelib.domain.errors import AccountUnknown
from tests.support.api_client import Visitor
from tests.support.app_client import Door


@pytest.fixture
def stranger(door: Door) -> Visitor:
    """Nobody, in a browser."""
    return Visitor(door)


@pytest.fixture
def admin(door: Door) -> Visitor:
    """The first user, a superuser, signed in."""
    return Visitor(door).sign_in("admin")


@pytest.fixture
def visit(door: Door) -> Callable[[str], Visitor]:
    """A user, made where there is none of the name, signed in."""

    def visit(name: str) -> Visitor:
        try:
            door.backend.account(name)
        except AccountUnknown:
            door.backend.user(name)
        return Visitor(door).sign_in(name)

    return visit

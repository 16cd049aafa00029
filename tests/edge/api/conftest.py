"""Callers of the API in its tests."""

from collections.abc import Callable

import pytest

from chalicelib.domain.errors import AccountUnknown
from tests.support.api_client import Visitor
from tests.support.app_client import Door


@pytest.fixture
def stranger(door: Door) -> Visitor:
    """Returns an anonymous caller with a browser's cookies."""
    return Visitor(door)


@pytest.fixture
def admin(door: Door) -> Visitor:
    """Returns the first user, a superuser, signed in."""
    return Visitor(door).sign_in("admin")


@pytest.fixture
def visit(door: Door) -> Callable[[str], Visitor]:
    """Returns a function that signs in the user of a name, after creating the user if there is none."""

    def visit(name: str) -> Visitor:
        try:
            door.backend.account(name)
        except AccountUnknown:
            door.backend.user(name)
        return Visitor(door).sign_in(name)

    return visit

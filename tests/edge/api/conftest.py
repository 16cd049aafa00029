"""Callers of the API in its tests."""

from collections.abc import Callable

import pytest

from chalicelib.domain.errors import AccountUnknown
from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient


@pytest.fixture
def stranger(app_client: AppClient) -> ApiClient:
    """Returns an anonymous caller with a browser's cookies."""
    return ApiClient(app_client)


@pytest.fixture
def admin(app_client: AppClient) -> ApiClient:
    """Returns the first user, a superuser, signed in."""
    return ApiClient(app_client).sign_in("admin")


@pytest.fixture
def visit(app_client: AppClient) -> Callable[[str], ApiClient]:
    """Returns a function that signs in the user of a name, after creating the user if there is none."""

    def visit(name: str) -> ApiClient:
        try:
            app_client.backend.account(name)
        except AccountUnknown:
            app_client.backend.user(name)
        return ApiClient(app_client).sign_in(name)

    return visit

"""Who asks in the tests of the API."""

from collections.abc import Callable

import pytest

from chalicelib.domain.errors import AccountUnknown
from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient


@pytest.fixture
def stranger(app_client: AppClient) -> ApiClient:
    """Nobody, in a browser."""
    return ApiClient(app_client)


@pytest.fixture
def admin(app_client: AppClient) -> ApiClient:
    """The first user, a superuser, signed in."""
    return ApiClient(app_client).sign_in("admin")


@pytest.fixture
def visit(app_client: AppClient) -> Callable[[str], ApiClient]:
    """A user, made where there is none of the name, signed in."""

    def visit(name: str) -> ApiClient:
        try:
            app_client.backend.account(name)
        except AccountUnknown:
            app_client.backend.user(name)
        return ApiClient(app_client).sign_in(name)

    return visit

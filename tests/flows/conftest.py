"""Fixtures of the app over a backend, as the tests of the edge have them."""

from tests.edge.conftest import app_client, new_app_client

__all__ = ["app_client", "new_app_client"]

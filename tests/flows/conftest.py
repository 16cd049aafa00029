"""Clients of the app over backends, as the edge's tests have them."""

from tests.edge.conftest import app_client, new_app_client

__all__ = ["app_client", "new_app_client"]

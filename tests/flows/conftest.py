"""Fixtures of the app over a backend, as the tests of the edge have them."""

from tests.edge.conftest import door, new_door

__all__ = ["door", "new_door"]

"""Doors to backends, as the edge's tests have them."""

from tests.edge.conftest import door, new_door

__all__ = ["door", "new_door"]

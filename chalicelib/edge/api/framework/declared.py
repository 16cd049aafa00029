"""The registered concepts and operations of the API, for the operations that describe the API itself.

Those operations belong to concepts, too, so `concepts.py` registers all concepts once they are imported.
"""

import re
from collections.abc import Sequence
from types import ModuleType

from chalicelib.edge.api.framework.operations import Operation

_CONCEPTS: list[ModuleType] = []


def register(concepts: Sequence[ModuleType]) -> None:
    """Registers all concepts, replacing those registered before."""
    _CONCEPTS[:] = concepts


def concepts() -> Sequence[ModuleType]:
    """Returns all concepts, each a module with its `operations`."""
    return _CONCEPTS


def operations() -> list[Operation]:
    """Returns all operations, ordered by path and method."""
    declared = [one for concept in _CONCEPTS for one in concept.operations.declared]
    return sorted(declared, key=lambda one: (one.path, one.method))


def paths() -> frozenset[str]:
    """Returns the paths of all operations without the names of their parameters."""
    return frozenset(unnamed(operation.path) for operation in operations())


def unnamed(path: str) -> str:
    """Returns a path without the names of its parameters: `/a/{b}` becomes `/a/{}`."""
    return re.sub(r"{\w+}", "{}", path)

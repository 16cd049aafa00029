"""All that the API has been declared to do, for those of its operations that tell of it.

They are among the concepts themselves, so `concepts.py` hands these over once all are imported.
"""

import re
from collections.abc import Sequence
from types import ModuleType

from chalicelib.edge.api.framework.operations import Operation

_CONCEPTS: list[ModuleType] = []


def hand_over(concepts: Sequence[ModuleType]) -> None:
    """Lets these be all concepts that there are."""
    _CONCEPTS[:] = concepts


def concepts() -> Sequence[ModuleType]:
    """All concepts, each a module with its `operations`."""
    return _CONCEPTS


def operations() -> list[Operation]:
    """All operations, by path and method."""
    found = [one for concept in _CONCEPTS for one in concept.operations.declared]
    return sorted(found, key=lambda one: (one.path, one.method))


def paths() -> frozenset[str]:
    """The paths of all operations there are, without the names of their parameters."""
    return frozenset(unnamed(operation.path) for operation in operations())


def unnamed(path: str) -> str:
    """A path whatever its parameters are called."""
    return re.sub(r"{\w+}", "{}", path)

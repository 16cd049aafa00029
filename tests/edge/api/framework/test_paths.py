"""Path prefixes that several rooms share."""

from chalicelib.edge.api.concepts import CONCEPTS
from chalicelib.edge.api.framework import paths


def test_every_shared_prefix_belongs_to_several_operations() -> None:
    served = [operation.path for concept in CONCEPTS for operation in concept.operations.declared]
    shared = {name: path for name, path in vars(paths).items() if name.isupper()}

    assert shared
    assert {name for name, path in shared.items() if sum(one.startswith(path) for one in served) < 2} == set()

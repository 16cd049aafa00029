"""The registered operations: all of every concept, once all concepts are imported."""

from chalicelib.edge.api.concepts import CONCEPTS
from chalicelib.edge.api.framework import declared


def test_all_concepts_are_registered_including_those_that_describe_the_api() -> None:
    assert tuple(declared.concepts()) == CONCEPTS
    assert {one.id for one in declared.operations()} >= {"discovery", "openapi", "getConfig", "getAppCapabilities"}


def test_operations_are_ordered_by_path_and_method() -> None:
    order = [(one.path, one.method) for one in declared.operations()]

    assert order == sorted(order)
    assert len(order) == sum(len(concept.operations.declared) for concept in CONCEPTS)


def test_a_path_ignores_the_names_of_its_parameters() -> None:
    assert declared.unnamed("/api/v1/error/{error_type}/x/{y}") == "/api/v1/error/{}/x/{}"
    assert "/api/v1/error/{}" in declared.paths()

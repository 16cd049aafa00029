"""What has been declared: every operation of every concept, once all are imported."""

from chalicelib.edge.api.concepts import CONCEPTS
from chalicelib.edge.api.framework import declared


def test_all_concepts_are_handed_over_those_that_tell_of_them_too() -> None:
    assert tuple(declared.concepts()) == CONCEPTS
    assert {one.id for one in declared.operations()} >= {"discovery", "openapi", "getConfig", "getAppCapabilities"}


def test_operations_come_by_path_and_method() -> None:
    order = [(one.path, one.method) for one in declared.operations()]

    assert order == sorted(order)
    assert len(order) == sum(len(concept.operations.declared) for concept in CONCEPTS)


def test_a_path_is_one_whatever_its_places_are_called() -> None:
    assert declared.unnamed("/api/v1/error/{error_type}/x/{y}") == "/api/v1/error/{}/x/{}"
    assert "/api/v1/error/{}" in declared.paths()

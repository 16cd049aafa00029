"""The list of concepts: all of them are registered with the app."""

from app import app
from chalicelib.edge.api.concepts import CONCEPTS


def test_every_operation_is_a_route_of_the_app() -> None:
    for concept in CONCEPTS:
        for operation in concept.operations.declared:
            assert operation.method in app.routes[operation.path], operation.id

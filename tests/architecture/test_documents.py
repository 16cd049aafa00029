"""What the documents of the API tell is all there is: nothing is read that is not declared."""

import ast
import inspect
from types import ModuleType

import pytest

from chalicelib.edge.api.concepts import CONCEPTS
from chalicelib.edge.api.framework.openapi import PATH_PARAMETERS

DECLARED = [(one, concept) for concept in CONCEPTS for one in concept.operations.declared]


def names_read(module: ModuleType) -> set[str]:
    """The query parameters that a module asks for by a word."""
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.Call)]
    return {
        argument.value
        for call in calls
        if ast.unparse(call.func) in {f"asking.{how}" for how in ("parameter", "parameters", "flag", "number")}
        for argument in call.args[:1]
        if isinstance(argument, ast.Constant)
    }


@pytest.mark.parametrize("concept", CONCEPTS, ids=lambda concept: concept.__name__)
def test_every_query_parameter_that_is_read_is_declared(concept: ModuleType) -> None:
    declared = {one.name for operation in concept.operations.declared for one in operation.parameters}

    assert names_read(concept) <= declared, "declare them as `parameters` of their operations"


def test_every_place_of_a_path_has_its_words_and_no_words_are_left_over() -> None:
    assert {place for operation, _ in DECLARED for place in operation.path_parameters} == set(PATH_PARAMETERS)


@pytest.mark.parametrize("operation", [one for one, _ in DECLARED], ids=lambda operation: operation.id)
def test_every_operation_says_what_it_answers(operation: object) -> None:
    assert getattr(operation, "answers"), "declare `answers`: a schema for each status, None for no body"  # noqa: B009

"""What the documents of the API tell is all there is: nothing is read that is not declared."""

import ast
import inspect
from types import ModuleType

from chalicelib.edge.api.concepts import CONCEPTS
from chalicelib.edge.api.framework.openapi import PATH_PARAMETERS

DECLARED = [operation for concept in CONCEPTS for operation in concept.operations.declared]


def names_read(module: ModuleType) -> set[str]:
    """The query parameters that a module asks for by a word."""
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.Call)]
    return {
        argument.value
        for call in calls
        if ast.unparse(call.func) in {f"request.{how}" for how in ("parameter", "parameters", "flag", "number")}
        for argument in call.args[:1]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }


def undeclared(concept: ModuleType) -> set[str]:
    """The query parameters that a module reads and no operation of it declares."""
    return names_read(concept) - {one.name for operation in concept.operations.declared for one in operation.parameters}


def test_every_query_parameter_that_is_read_is_declared() -> None:
    offenders = {concept.__name__: names for concept in CONCEPTS if (names := undeclared(concept))}

    assert len({name for concept in CONCEPTS for name in names_read(concept)}) > 10
    assert offenders == {}, "declare them as `parameters` of their operations"


def test_every_place_of_a_path_has_its_words_and_no_words_are_left_over() -> None:
    assert {place for operation in DECLARED for place in operation.path_parameters} == set(PATH_PARAMETERS)


def test_every_operation_says_what_it_answers() -> None:
    offenders = [operation.id for operation in DECLARED if not operation.answers]

    assert offenders == [], "declare `answers`: a schema for each status, None for no body"

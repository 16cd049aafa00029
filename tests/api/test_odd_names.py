"""Impossible names in the path, the body or the query are refused and cause no server error."""

from collections.abc import Mapping

import pytest

from chalicelib.domain.scopes import SUPER_USER
from chalicelib.edge.api.concepts import CONCEPTS
from chalicelib.edge.api.framework.operations import Operation
from tests.api.examples import ask, misfit
from tests.api.populated_registry import PopulatedRegistry
from tests.support.api_client import ApiClient
from tests.support.app_client import Answer

OPERATIONS = [one for concept in CONCEPTS for one in concept.operations.declared]
# More than a key of the table holds; what keys are divided by; no ASCII.
LONG, DIVIDED, ACCENTED = "a" * 1500, "a#b", "é"
# What JSON can hold and no UTF-8: half of a pair.
HALF = "\ud800"


def texts(operation: Operation) -> list[str]:
    """Returns the fields of the body that may be text."""
    fields = (operation.body or {}).get("properties", {})
    return [name for name, schema in fields.items() if "string" in schema.get("type", ())]


@pytest.fixture(scope="module")
def api_clients(populated: PopulatedRegistry) -> dict[str, ApiClient]:
    """An owner and a superuser, each with a token of all scopes."""
    tokens = {"owner": populated.token("owner"), "admin": populated.token("admin", superuser=True)}
    return {name: ApiClient(populated.app_client, token) for name, token in tokens.items()}


def named(operations: list[Operation]) -> pytest.MarkDecorator:
    """Parametrizes a test over operations."""
    return pytest.mark.parametrize("operation", operations, ids=lambda one: one.id)


@named([one for one in OPERATIONS if one.path_parameters])
def test_an_odd_name_in_a_path_causes_no_server_error(
    operation: Operation, populated: PopulatedRegistry, api_clients: dict[str, ApiClient]
) -> None:
    who = asker(operation)
    answers = {
        (place, odd[:5]): ask(operation, api_clients[who], populated, who, {place: odd})
        for place in operation.path_parameters
        for odd in (LONG, DIVIDED, ACCENTED)
    }

    assert faults(operation, answers) == {}


@named([one for one in OPERATIONS if texts(one)])
def test_an_odd_text_in_a_body_causes_no_server_error(
    operation: Operation, populated: PopulatedRegistry, api_clients: dict[str, ApiClient]
) -> None:
    who = asker(operation)
    answers = {
        (name, odd[:5]): ask(operation, api_clients[who], populated, who, fields={name: odd})
        for name in texts(operation)
        for odd in (LONG, HALF)
    }

    assert faults(operation, answers) == {}


@named([one for one in OPERATIONS if one.parameters])
def test_an_odd_text_in_a_query_causes_no_server_error(
    operation: Operation, populated: PopulatedRegistry, api_clients: dict[str, ApiClient]
) -> None:
    who = asker(operation)
    answers = {
        (one.name, LONG[:5]): ask(operation, api_clients[who], populated, who, parameters={one.name: LONG})
        for one in operation.parameters
    }

    assert faults(operation, answers) == {}


def asker(operation: Operation) -> str:
    return "admin" if operation.scope == SUPER_USER else "owner"


def faults(operation: Operation, answers: Mapping[tuple[str, str], Answer]) -> dict[tuple[str, str], str]:
    """Returns the answers that are server errors or differ from the operation's declaration."""
    return {key: wrong for key, answer in answers.items() if (wrong := misfit(operation, answer))}

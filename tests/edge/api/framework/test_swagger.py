"""The same in Quay's older words."""

import pytest

from chalicelib.edge.api.framework.swagger import document, schema_of
from tests.edge.api.framework.test_openapi import CREATE, LIST, PINS, SEND, SHOW, told


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        ({"type": ["string", "null"]}, {"type": "string", "x-nullable": True}),
        ({"type": ["string", "integer"]}, {}),
        ({"type": "object", "anyOf": [{"required": ["a"]}]}, {"type": "object"}),
        ({"$ref": "#/components/schemas/Pin"}, {"$ref": "#/definitions/Pin"}),
        (
            {"properties": {"type": {"type": ["integer", "null"]}}},
            {"properties": {"type": {"type": "integer", "x-nullable": True}}},
        ),
        (
            {"type": "array", "items": {"$ref": "#/components/schemas/Pin"}},
            {"type": "array", "items": {"$ref": "#/definitions/Pin"}},
        ),
        ({"type": "string", "enum": ["a", "b"]}, {"type": "string", "enum": ["a", "b"]}),
        ({}, {}),
    ],
)
def test_a_schema_is_told_in_the_words_that_swagger_has(newer: object, older: object) -> None:
    assert schema_of(newer) == older


def test_a_body_is_a_parameter_and_errors_stand_at_each_operation() -> None:
    whole = document(told(LIST, CREATE))
    created = whole["paths"][PINS + "/"]["post"]

    assert created["parameters"][-1]["in"] == "body"
    assert created["parameters"][-1]["schema"] == {"$ref": "#/definitions/NewPin"}
    assert created["responses"]["409"]["schema"] == {"$ref": "#/definitions/ApiError"}
    assert created["security"] == [{"oauth2_implicit": ["repo:write"]}]
    assert "requestBody" not in created
    assert created["description"] == "Makes a pin."


def test_a_parameter_says_its_type_itself() -> None:
    limit, order = document(told(LIST))["paths"][PINS + "/"]["get"]["parameters"][1:]

    assert (limit["type"], "schema" in limit) == ("integer", False)
    assert order["enum"] == ["name", "date"]


def test_the_fields_of_a_form_are_parameters_and_a_page_is_no_json() -> None:
    path = document(told(SHOW, SEND))["paths"]["/pins"]

    assert path["post"]["consumes"] == ["application/x-www-form-urlencoded"]
    assert [(one["name"], one["in"], one["required"]) for one in path["post"]["parameters"]] == [
        ("name", "formData", True)
    ]
    assert path["get"]["produces"] == ["text/html"]
    assert "security" not in path["get"]

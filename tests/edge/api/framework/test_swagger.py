"""The Swagger 2.0 document, converted from the OpenAPI document."""

import pytest

from chalicelib.edge.api.framework.swagger import document, schema_of
from tests.edge.api.framework.test_openapi import CREATE, LIST, PINS, SEND, SHOW, openapi_of


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
def test_a_schema_is_converted_to_swagger_s_keywords(newer: object, older: object) -> None:
    assert schema_of(newer) == older


def test_a_body_is_a_parameter_and_each_operation_has_its_errors() -> None:
    whole = document(openapi_of(LIST, CREATE))
    created = whole["paths"][PINS + "/"]["post"]

    assert created["parameters"][-1]["in"] == "body"
    assert created["parameters"][-1]["schema"] == {"$ref": "#/definitions/NewPin"}
    assert created["responses"]["409"]["schema"] == {"$ref": "#/definitions/ApiError"}
    assert created["security"] == [{"oauth2_implicit": ["repo:write"]}]
    assert "requestBody" not in created
    assert created["description"] == "Makes a pin."


def test_a_parameter_has_its_type_without_a_schema() -> None:
    limit, order = document(openapi_of(LIST))["paths"][PINS + "/"]["get"]["parameters"][1:]

    assert (limit["type"], "schema" in limit) == ("integer", False)
    assert order["enum"] == ["name", "date"]


def test_form_fields_are_parameters_and_a_page_is_not_json() -> None:
    path = document(openapi_of(SHOW, SEND))["paths"]["/pins"]

    assert path["post"]["consumes"] == ["application/x-www-form-urlencoded"]
    assert [(one["name"], one["in"], one["required"]) for one in path["post"]["parameters"]] == [
        ("name", "formData", True)
    ]
    assert path["get"]["produces"] == ["text/html"]
    assert "security" not in path["get"]

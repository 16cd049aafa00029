"""The Swagger 2.0 document, the format that Quay serves (https://swagger.io/specification/v2).

Swagger has fewer keywords: nullable fields are marked `x-nullable`, and rules that it cannot express are left out. Of
several shapes of errors it has the first, as Quay's document.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from chalicelib.edge.api.framework.openapi import FORM, JSON, OAUTH, Document

SCHEME = "oauth2_implicit"
# Keywords of JSON Schema that Swagger 2.0 lacks.
UNKNOWN = ("anyOf", "oneOf", "not", "if", "then", "else", "contentMediaType", "$defs", "propertyNames")
OLD, NEW = "#/definitions/", "#/components/schemas/"


def document(newer: Document) -> Document:
    """Converts an OpenAPI document to Swagger."""
    address = urlsplit(newer["servers"][0]["url"])
    refusals = {"#/components/responses/" + name: one for name, one in newer["components"]["responses"].items()}
    implicit = newer["components"]["securitySchemes"][OAUTH]["flows"]["implicit"]
    return {
        "swagger": "2.0",
        "host": address.netloc,
        "basePath": "/",
        "schemes": [address.scheme],
        "info": newer["info"],
        "securityDefinitions": {SCHEME: {"type": "oauth2", "flow": "implicit", **implicit}},
        "tags": newer["tags"],
        "paths": {path: _path(path, operations, refusals) for path, operations in newer["paths"].items()},
        "definitions": {name: schema_of(schema) for name, schema in newer["components"]["schemas"].items()},
    }


def _path(path: str, operations: Document, refusals: Document) -> Document:
    tag = next(iter(operations.values()))["tags"][0]
    methods = {method: _operation(operation, refusals) for method, operation in operations.items()}
    return {"x-name": f"endpoints.api.{tag}", "x-path": path, "x-tag": tag, **methods}


def _operation(newer: Document, refusals: Document) -> Document:
    responses = {status: refusals.get(one.get("$ref"), one) for status, one in newer["responses"].items()}
    converted = {key: value for key, value in newer.items() if key not in ("requestBody", "security", "responses")}
    converted.setdefault("description", converted["summary"])
    converted["parameters"] = [*map(_parameter, newer["parameters"]), *_body(newer.get("requestBody"))]
    converted["responses"] = {status: _response(response) for status, response in responses.items()}
    kinds = {kind for response in responses.values() for kind in response.get("content", {})}
    converted["produces"] = sorted(kinds) or [JSON]
    scopes = [way[OAUTH] for way in newer["security"] if OAUTH in way]
    if scopes:
        converted["security"] = [{SCHEME: scopes[0]}]
    if FORM in newer.get("requestBody", {}).get("content", {}):
        converted["consumes"] = [FORM]
    return converted


def _parameter(newer: Document) -> Document:
    converted = {key: value for key, value in newer.items() if key != "schema"}
    converted.update(schema_of(newer["schema"]))
    return converted


def _body(newer: Document | None) -> list[Document]:
    content = (newer or {}).get("content", {})
    if JSON in content:
        about = {"description": "Request body contents.", "required": (newer or {})["required"]}
        return [{"name": "body", "in": "body", **about, "schema": schema_of(content[JSON]["schema"])}]
    if FORM not in content:
        return []
    schema = content[FORM]["schema"]
    required = schema.get("required", ())
    return [
        {"name": name, "in": "formData", "required": name in required, **schema_of(field)}
        for name, field in schema["properties"].items()
    ]


def _response(newer: Document) -> Document:
    response: Document = {"description": newer["description"]}
    for content in newer.get("content", {}).values():
        schema = content["schema"]
        response["schema"] = schema_of(schema["anyOf"][0] if list(schema) == ["anyOf"] else schema)
    return response


def schema_of(newer: Any) -> Any:
    """Converts a schema to Swagger's keywords."""
    if isinstance(newer, list):
        return [schema_of(one) for one in newer]
    if not isinstance(newer, Mapping):
        return newer
    converted = {key: _value(key, value) for key, value in newer.items() if key not in UNKNOWN}
    kinds = converted.get("type")
    if isinstance(kinds, list):
        named = [kind for kind in kinds if kind != "null"]
        converted.pop("type")
        # Swagger cannot express several types.
        converted |= {"type": named[0]} if len(named) == 1 else {}
        converted |= {"x-nullable": True} if "null" in kinds else {}
    return converted


def _value(key: str, value: Any) -> Any:
    if key == "$ref":
        return OLD + str(value).removeprefix(NEW)
    if key == "properties":
        return {name: schema_of(field) for name, field in value.items()}
    return schema_of(value) if key in ("items", "additionalProperties", "allOf") else value

"""A request for every operation, which succeeds for a user with the right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import fastjsonschema

from chalicelib.edge.api.framework.openapi import failure
from chalicelib.edge.api.framework.operations import Operation, Schema
from tests.api import recipes
from tests.api.populated_registry import PopulatedRegistry
from tests.support.api_client import API, ApiClient
from tests.support.app_client import Answer

FORM = "application/x-www-form-urlencoded"


def ask(
    operation: Operation,
    api_client: ApiClient,
    populated: PopulatedRegistry,
    who: str,
    places: Mapping[str, str] | None = None,
    fields: Mapping[str, object] | None = None,
    parameters: Mapping[str, str] | None = None,
) -> Answer:
    """Sends the operation's request and returns the answer; `who` is the user that the request is made for.

    `places` of the path, `fields` of the body and `parameters` of the query replace the usual ones.
    """
    values = places_of(operation, populated, who) | dict(places or {})
    path = operation.path.format(**{name: quote(value) for name, value in values.items()})
    path = path if path.startswith(API) else "/" + path
    query = {one.name: "x" for one in operation.parameters if one.required} | _given(
        recipes.QUERIES, operation, populated
    )
    query |= parameters or {}
    target = f"{path}?{urlencode(query)}" if query else path
    if operation.form is not None:
        if not api_client.csrf and not api_client.token:
            api_client.get("//csrf_token")
        fields = {**example(operation.form), "_csrf_token": api_client.csrf} | _given(
            recipes.BODIES, operation, populated
        )
        return api_client.ask(operation.method, target, urlencode(fields).encode(), Content_Type=FORM)
    if operation.body is None:
        return api_client.ask(operation.method, target)
    body, given = example(operation.body), _given(recipes.BODIES, operation, populated)
    body = body | given | (fields or {}) if isinstance(body, dict) else given or body
    return api_client.ask(operation.method, target, json.dumps(body).encode())


def places_of(operation: Operation, populated: PopulatedRegistry, who: str) -> dict[str, str]:
    """Returns the values for the path of the operation, by parameter."""
    recipe = recipes.PLACES.get(operation.id)
    known = populated.places | (recipe(populated, who) if recipe else {})
    return {name: known.get(name, name) for name in operation.path_parameters}


def _given(recipes_of: dict[str, recipes.Fields], operation: Operation, populated: PopulatedRegistry) -> Any:
    recipe = recipes_of.get(operation.id)
    return recipe(populated) if recipe else {}


def misfit(operation: Operation, answer: Answer) -> str:
    """Returns how an answer differs from the operation's declaration; an empty text if it does not."""
    if answer.status not in {*operation.answers, *operation.refusals}:
        return f"{answer.status} is not declared"
    schema = operation.answers.get(answer.status, failure(answer.status))
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if schema is None or "contentMediaType" in schema:
        expected = "" if schema is None else schema["contentMediaType"]
        return "" if schema is None or kind == expected else f"{kind} is no {expected}"
    try:
        fastjsonschema.validate(dict(schema), answer.json())
    except fastjsonschema.JsonSchemaValueException as error:
        return f"{answer.status}: {error.message}"
    return ""


def example(schema: Schema) -> Any:
    """Returns the smallest value that fits a schema."""
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        fields = schema.get("properties", {})
        return {name: example(fields.get(name, {})) for name in schema.get("required", ())}
    simple = {"string": "x", "integer": schema.get("minimum", 1), "boolean": True, "array": [], "number": 1}
    return simple.get(kind)

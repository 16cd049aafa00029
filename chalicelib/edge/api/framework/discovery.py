"""The documents of the API: Swagger 2.0, as Quay serves it, and OpenAPI 3.1, as today's tools read it."""

import inspect
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from chalicelib.edge import request
from chalicelib.edge.api.framework import declared, openapi, policy_routes, shapes, swagger
from chalicelib.edge.api.framework.openapi import Document
from chalicelib.edge.api.framework.operations import Operations, Parameter, Schema, an_object
from chalicelib.edge.response import Reply, as_json
from chalicelib.settings import settings

operations = Operations(__name__, "discovery")

INTERNAL = Parameter("internal", "boolean", "Whether to include internal operations")
# Nothing in the documents is secret, and one that is five minutes old does no harm.
HEADERS = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=300"}


@operations.get("/api/v1/discovery", "discovery", parameters=(INTERNAL,), answers={200: an_object()})
def discovery() -> Reply:
    """Returns the Swagger 2.0 document of the API."""
    return as_json(_swagger(request.flag("internal"), settings().url), headers=dict(HEADERS))


@operations.get("/openapi.json", "openapi", parameters=(INTERNAL,), answers={200: an_object()}, is_internal=True)
def openapi_document() -> Reply:
    """Returns the OpenAPI 3.1 document of the API."""
    return as_json(openapi_of(request.flag("internal"), settings().url), headers=dict(HEADERS))


@lru_cache(4)
def openapi_of(is_internal: bool, url: str) -> Document:
    """Returns the OpenAPI document of a registry at a URL; `is_internal` includes internal operations."""
    included = [one for one in declared.operations() if is_internal or not one.is_internal]
    return openapi.document(included, dict(_named_schemas()), _tags(), url)


@lru_cache(4)
def _swagger(is_internal: bool, url: str) -> Document:
    return swagger.document(openapi_of(is_internal, url))


def _tags() -> dict[str, str]:
    """Returns the description of each tag: the module docstrings of its concepts, joined."""
    descriptions: dict[str, list[str]] = {}
    for concept in declared.concepts():
        about = (inspect.getdoc(concept) or "").partition("\n\n")[0].replace("\n", " ")
        descriptions.setdefault(concept.operations.tag, []).append(about)
    return {tag: " ".join(lines) for tag, lines in descriptions.items()}


def _named_schemas() -> Iterator[tuple[str, Schema]]:
    """Yields name and schema of each object that a module names: `QUOTA` of quotas.py is `QuotasQuota`."""
    seen: set[int] = set()
    for module in (shapes, policy_routes, *declared.concepts()):
        for name, value in vars(module).items():
            if name.isupper() and _is_object(value) and id(value) not in seen:
                seen.add(id(value))
                yield _camel(module.__name__.rpartition(".")[2]) + _camel(name), value


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") == "object" and bool(value.get("properties"))


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))

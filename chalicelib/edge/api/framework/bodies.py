"""Request bodies of the API: JSON of at most one MiB that matches its operation's schema."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.domain.errors import BodyTooLarge, BodyUnreadable, FieldInvalid
from chalicelib.domain.nesting import DEEPEST, is_too_deep
from chalicelib.edge import request

LARGEST = 1024 * 1024
# JSON's escape of a UTF-16 surrogate; one without its partner cannot be stored as UTF-8.
SURROGATES = re.compile(rb"\\u[dD][89a-fA-F]")
_CHECKS: dict[str, Callable[[Any], Any]] = {}


def read(operation_id: str, schema: Mapping[str, Any], is_optional: bool) -> Any:
    """Returns the checked body, or an empty object if the body is optional and none was sent.

    Raises BodyTooLarge, BodyUnreadable, and FieldInvalid naming the field.
    """
    content = request.body()
    if len(content) > LARGEST:
        raise BodyTooLarge(LARGEST, "send a smaller body")
    if is_optional and not content:
        return {}
    kind = request.header("content-type").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise BodyUnreadable("say Content-Type: application/json, and send JSON", 415)
    try:
        document = json.loads(content.decode("utf-8"))
        if is_too_deep(document):
            raise BodyUnreadable(f"the body is nested too deeply: send JSON of at most {DEEPEST} levels")
        if SURROGATES.search(content):
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise BodyUnreadable("the body is no JSON, or has a text that is no Unicode") from None
    check_schema(operation_id, schema, document)
    return document


def check_schema(operation_id: str, schema: Mapping[str, Any], document: Any) -> None:
    """Raises FieldInvalid, which names the field, if a document does not match a schema."""
    # The import takes 15 ms, which only a request with a body shall pay.
    import fastjsonschema

    if operation_id not in _CHECKS:
        _CHECKS[operation_id] = fastjsonschema.compile(dict(schema), use_default=False, use_formats=False)
    try:
        _CHECKS[operation_id](document)
    except fastjsonschema.JsonSchemaValueException as error:
        path = ".".join(str(part) for part in error.path[1:])
        message = str(error.message).removeprefix(str(error.name)).strip()
        raise FieldInvalid(path or "the body", _choices(error.definition or {}) or message) from None


def _choices(schema: Mapping[str, Any]) -> str:
    """Returns the sentence about the values that a schema allows, in JSON's words; empty if it allows others."""
    if None not in schema.get("enum", ()):
        return ""
    return f"must be one of {[value for value in schema['enum'] if value is not None]} or null"

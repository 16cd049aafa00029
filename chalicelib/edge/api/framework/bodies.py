"""Bodies of the API: JSON of at most a mebibyte that fits its operation's schema."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.domain.errors import BodyTooLarge, BodyUnreadable, FieldInvalid
from chalicelib.edge import request

LARGEST = 1024 * 1024
# How JSON writes half of a character; one without its other half cannot be kept.
HALVES = re.compile(rb"\\u[dD][89a-fA-F]")
_CHECKS: dict[str, Callable[[Any], Any]] = {}


def read(operation_id: str, schema: Mapping[str, Any], is_optional: bool) -> Any:
    """The body, checked; an empty object where none came and none is needed.

    Raises BodyTooLarge, BodyUnreadable, and FieldInvalid naming the field.
    """
    content = request.body()
    if len(content) > LARGEST:
        raise BodyTooLarge(LARGEST, "send less")
    if is_optional and not content:
        return {}
    kind = request.header("content-type").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise BodyUnreadable("say Content-Type: application/json, and send JSON", 415)
    try:
        document = json.loads(content.decode("utf-8"))
        if HALVES.search(content):
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise BodyUnreadable("the body is no JSON, or has a text that is no Unicode") from None
    check(operation_id, schema, document)
    return document


def check(operation_id: str, schema: Mapping[str, Any], document: Any) -> None:
    """Raises FieldInvalid, naming the field, when a document does not fit a schema."""
    # It takes 15 ms to import, which only a request with a body shall pay.
    import fastjsonschema

    if operation_id not in _CHECKS:
        _CHECKS[operation_id] = fastjsonschema.compile(dict(schema), use_default=False, use_formats=False)
    try:
        _CHECKS[operation_id](document)
    except fastjsonschema.JsonSchemaValueException as error:
        path = ".".join(str(part) for part in error.path[1:])
        why = str(error.message).removeprefix(str(error.name)).strip()
        raise FieldInvalid(path or "the body", why) from None

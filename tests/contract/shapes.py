"""The shape of an answer that is recorded: all keys and types, and the texts that clients read."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.app_client import Answer

# Texts under these keys are recorded literally; for all others only their type is.
WORDS = {"message", "detail", "error_message", "error_type", "title", "error", "kind", "role", "state", "status"}


def shape(value: Any, key: str = "") -> Any:
    """Returns a value without what differs between conversations; of a list, each different shape once."""
    if isinstance(value, dict):
        # The usage log's records have tests of their own; here only their presence is recorded.
        left_out = {"kind", "metadata"} if "datetime" in value else set()
        return {name: "told" if name in left_out else shape(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        shapes = {json.dumps(shape(inner, key), sort_keys=True) for inner in value}
        return [json.loads(text) for text in sorted(shapes)]
    if value is None:
        return None
    if key in WORDS:
        return value
    return {bool: "flag", int: "number", float: "number", str: "text"}[type(value)]


def recorded(answer: Answer) -> Any:
    """Returns the shape of an answer's body: a bare JSON text literally, and only the media type of other content."""
    kind = next((value for name, value in answer.lines if name.lower() == "content-type"), "")
    if not answer.body:
        return None
    if not kind.startswith("application/json"):
        return f"<{kind.partition(';')[0]}>"
    found = answer.json()
    return found if isinstance(found, str) else shape(found)


def redirect_parameters(answer: Answer) -> dict[str, str]:
    """Returns the parameters behind `?` or `#` in the address of a redirect."""
    parts = urlsplit(dict(answer.lines).get("location", ""))
    return dict(parse_qsl(parts.query or parts.fragment))


def address(answer: Answer) -> str:
    """Returns the address of a redirect with the names of its parameters; an empty text for any other answer."""
    location = dict(answer.lines).get("location", "")
    if not location:
        return ""
    parts = urlsplit(location)
    mark = "?" if parts.query else "#" if parts.fragment else ""
    return f"{parts.scheme}://{parts.netloc}{parts.path}{mark}" + "&".join(sorted(redirect_parameters(answer)))

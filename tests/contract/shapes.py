"""What of an answer is written down: keys and types all the way down, and the words that clients read."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.app_client import Answer

# Texts under these keys are told to the letter; of all others only that they are texts.
WORDS = {"message", "detail", "error_message", "error_type", "title", "error", "kind", "role", "state", "status"}


def shape(value: Any, key: str = "") -> Any:
    """A value without what differs from one conversation to the next; of a list, each shape that is in it once."""
    if isinstance(value, dict):
        # What stands in the usage log is told by the tests of it: here, that it is the usage log.
        unsaid = {"kind", "metadata"} if "datetime" in value else set()
        return {name: "told" if name in unsaid else shape(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        found = {json.dumps(shape(inner, key), sort_keys=True) for inner in value}
        return [json.loads(text) for text in sorted(found)]
    if value is None:
        return None
    if key in WORDS:
        return value
    return {bool: "flag", int: "number", float: "number", str: "text"}[type(value)]


def told(answer: Answer) -> Any:
    """The shape of an answer's body: a JSON text by itself is a word; what is no JSON, is called by its type."""
    kind = next((value for name, value in answer.lines if name.lower() == "content-type"), "")
    if not answer.body:
        return None
    if not kind.startswith("application/json"):
        return f"<{kind.partition(';')[0]}>"
    found = answer.json()
    return found if isinstance(found, str) else shape(found)


def place(answer: Answer) -> dict[str, str]:
    """What the address of a redirect carries behind `?` or `#`, by name."""
    parts = urlsplit(dict(answer.lines).get("location", ""))
    return dict(parse_qsl(parts.query or parts.fragment))


def address(answer: Answer) -> str:
    """Where a redirect leads to, and the names of what it carries; empty for what is no redirect."""
    location = dict(answer.lines).get("location", "")
    if not location:
        return ""
    parts = urlsplit(location)
    mark = "?" if parts.query else "#" if parts.fragment else ""
    return f"{parts.scheme}://{parts.netloc}{parts.path}{mark}" + "&".join(sorted(place(answer)))

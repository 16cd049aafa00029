"""What the log's line of a request says: who did what, and how it ended (docs/runbook.md names the fields).

No path, query, header or body is in it: tokens of uploads, ids of exports and passwords stand there.
"""

from collections.abc import Mapping
from typing import Any

from chalicelib.domain.logged_paths import logged_path
from chalicelib.domain.permissions import Actor
from chalicelib.telemetry import note

# A repository's longest name (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests).
LONGEST_NAME, LONGEST_WHY = 255, 300


def note_route(method: str, pattern: str | None, values: Mapping[str, str]) -> None:
    """Notes the operation, as method and pattern of the path, and the repository that the path names."""
    repository = values.get("repository", "")[:LONGEST_NAME]
    note(operation=f"{method} {pattern or 'unknown'}", **({"repository": repository} if repository else {}))


def note_actor(actor: Actor) -> None:
    """Notes who makes the request; of nobody there is nothing to say."""
    if not actor.is_anonymous:
        note(actor=actor.name)


def note_refusal(code: str, error: Exception) -> None:
    """Notes the code that the caller gets, and the reason, which the answer may hide from them."""
    note(error=code, why=logged_path(str(error))[:LONGEST_WHY])


def of_request(event: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a request shows before it is handled."""
    return {"request_id": event["requestContext"].get("requestId"), "bytes_in": _size(event)}


def of_answer(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what an answer shows."""
    return {"status": answer["statusCode"], "bytes_out": _size(answer)}


def _size(message: Mapping[str, Any]) -> int:
    """Returns how many bytes a body has, without decoding it; of text, how many characters."""
    body: str = message.get("body") or ""
    return len(body) * 3 // 4 - body[-2:].count("=") if message.get("isBase64Encoded") else len(body)

"""Replies: raw bytes, JSON, and links to the next page."""

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from chalice.app import Response

Headers = dict[str, Any]


class Reply(Response):
    """A response whose bytes are base64-encoded whatever their type (chalice decides by Accept, issue 391)."""

    def to_dict(self, binary_types: list[str] | None = None) -> dict[str, Any]:
        if not isinstance(self.body, bytes):
            answer: dict[str, Any] = super().to_dict(binary_types)
            return answer
        text = Response(base64.b64encode(self.body).decode("ascii"), self.headers, self.status_code)
        return {**text.to_dict(), "isBase64Encoded": True}


def empty(status: int, headers: Headers) -> Reply:
    """Returns a reply without a body."""
    return Reply("", headers, status)


def as_json(document: object, status: int = 200, headers: Headers | None = None) -> Reply:
    """Returns a reply with a JSON body; text outside ASCII is not escaped."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return Reply(text, {"Content-Type": "application/json", **(headers or {})}, status)


def challenged(value: str) -> Headers:
    """Returns the challenge of a 401 twice.

    Where a gateway renames the first header, infra/terraform/api.tf restores it from the second. AWS does not say what
    that mapping does to an answer that lacks the second, so no challenge is sent without it.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html
    """
    return {"WWW-Authenticate": value, "Registry-Challenge": value}


def next_link(path: str, parameters: Mapping[str, str | int]) -> Headers:
    """Returns the `Link` header to the next page (RFC 8288)."""
    return {"Link": f'<{path}?{urlencode(parameters)}>; rel="next"'}

"""Turns HTTP requests into events of payload format 1.0 and answers into HTTP, with the limits of an HTTP API.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

Headers = list[tuple[bytes, bytes]]
# The most bytes of request line and headers that API Gateway accepts, and of an event in JSON that Lambda accepts.
LARGEST_HEADERS, LARGEST_EVENT = 10_240, 6_291_556
TEXTS = ("text/", "application/json", "application/javascript", "application/xml", "application/x-www-form-urlencoded")
# Headers that concern one connection and that a gateway does not pass on.
HOP_BY_HOP = {b"transfer-encoding", b"connection", b"keep-alive", b"expect", b"te", b"upgrade", b"trailer"}
WITHOUT_BODY = {204, 304}
ESCAPES, ESCAPED_PERCENT = re.compile("(?:%[0-9A-Fa-f]{2})+"), "%25"


def to_event(scope: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """Returns the event of a request whose body has arrived."""
    lines: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        if name not in HOP_BY_HOP:
            lines.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    if body:
        lines["content-length"] = [str(len(body))]
    path = decoded(scope["raw_path"].decode("latin-1"))
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        query.setdefault(name, []).append(value)
    is_text = lines.get("content-type", [""])[-1].startswith(TEXTS)
    return {
        "version": "1.0",
        "resource": "$default",
        "path": path,
        "httpMethod": scope["method"],
        "headers": {name: values[-1] for name, values in lines.items()},
        "multiValueHeaders": lines,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "requestContext": _context(scope, path),
        "pathParameters": None,
        "stageVariables": None,
        **_body(body, is_text),
    }


def decoded(path: str) -> str:
    """Returns a path as an HTTP API hands it over: every escape is decoded once, except that of `%`, which stays.

    AWS does not document it; https://github.com/middleapi/standard-server/pull/93 quotes events of payload formats 1.0
    and 2.0 that were recorded, and `make smoke` tries it (C5).
    """
    return ESCAPES.sub(lambda run: ESCAPED_PERCENT.join(map(unquote, run[0].split(ESCAPED_PERCENT))), path)


def _context(scope: Mapping[str, Any], path: str) -> dict[str, Any]:
    return {
        "accountId": "000000000000",
        "apiId": "local",
        "httpMethod": scope["method"],
        "identity": {"sourceIp": (scope.get("client") or ("127.0.0.1", 0))[0]},
        "path": path,
        "protocol": f"HTTP/{scope['http_version']}",
        "requestId": str(uuid4()),
        "requestTimeEpoch": int(time.time() * 1000),
        "resourceId": "$default",
        "resourcePath": "$default",
        "stage": "$default",
    }


def _body(body: bytes, is_text: bool) -> dict[str, Any]:
    if not body:
        return {"body": None, "isBase64Encoded": False}
    if is_text:
        try:
            return {"body": body.decode("utf-8"), "isBase64Encoded": False}
        except UnicodeDecodeError:
            pass
    return {"body": base64.b64encode(body).decode("ascii"), "isBase64Encoded": True}


def fits(event: Mapping[str, Any]) -> bool:
    """Tells whether Lambda accepts the event. All but the body is smaller than three times the limit of headers."""
    return len(event["body"] or "") + 3 * LARGEST_HEADERS < LARGEST_EVENT


def headers_size(scope: Mapping[str, Any]) -> int:
    """Returns the bytes of request line and headers."""
    line = len(scope["raw_path"]) + len(scope["query_string"]) + len(scope["method"]) + 12
    return line + sum(len(name) + len(value) + 4 for name, value in scope["headers"])


def from_answer(answer: Mapping[str, Any], method: str) -> tuple[int, Headers, bytes]:
    """Returns status, headers and body of an app's answer.

    Content-Length is always the length of the app's body, even on HEAD, where the body is dropped. No gateway does
    less, so what works here works on AWS.
    """
    text = answer.get("body") or ""
    content = base64.b64decode(text) if answer.get("isBase64Encoded") else text.encode("utf-8")
    status = answer["statusCode"]
    headers = [
        (name.lower().encode("latin-1"), str(value).encode("utf-8"))
        for name, value in _flat(answer)
        if name.lower() != "content-length"
    ]
    if status not in WITHOUT_BODY:
        headers.append((b"content-length", str(len(content)).encode()))
    return status, headers, b"" if method == "HEAD" or status in WITHOUT_BODY else content


def _flat(answer: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    yield from (answer.get("headers") or {}).items()
    for name, values in (answer.get("multiValueHeaders") or {}).items():
        yield from ((name, value) for value in values)

"""Tells which part wrote an answer: the app, the edge function, API Gateway, S3 or CloudFront itself."""

import json
from typing import Any

from infra.smoke.wire import Answer

SHOWN = 70


def errors_of(answer: Answer) -> list[dict[str, Any]]:
    """Returns the errors of an answer in the specification's format, or none if it has another format.

    https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
    """
    document = _document(answer)
    errors = document.get("errors") if isinstance(document, dict) else None
    is_ours = isinstance(errors, list) and all(isinstance(error, dict) and error.get("code") for error in errors)
    return errors if is_ours and isinstance(errors, list) else []


def _document(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError:
        return None


def is_cloudfront(answer: Answer) -> bool:
    """Tells whether the answer came through CloudFront."""
    return bool(answer.header("X-Amz-Cf-Id")) or "cloudfront" in answer.header("Via").lower()


def author(answer: Answer) -> str:
    """Returns the part that wrote the answer, or an empty string if nothing shows it, as on local stacks."""
    if answer.header("X-Cache").startswith("FunctionGenerated"):
        return "edge function"
    if b"<Error>" in answer.body[:500]:
        return "S3"
    document = _document(answer)
    if isinstance(document, dict) and "message" in document and "errors" not in document:
        return "gateway"
    if answer.header("Docker-Distribution-API-Version") or answer.header("Apigw-Requestid"):
        return "app"
    if is_cloudfront(answer) and b"<html" in answer.body[:500].lower():
        return "CloudFront"
    return "edge or relay" if errors_of(answer) else ""


def summary_of(answer: Answer) -> str:
    """Summarises an answer: status, author, and the message of a refusal."""
    by = f" by {name}" if (name := author(answer)) else ""
    if answer.status < 400:
        return f"{answer.status}{by}"
    errors = errors_of(answer)
    if errors:
        text = f"{errors[0]['code']} {errors[0].get('message', '')}"
    else:
        text = answer.body[:400].decode("utf-8", "replace")
    return f"{answer.status}{by}: {' '.join(text.split())[:SHOWN]}" if text else f"{answer.status}{by}"

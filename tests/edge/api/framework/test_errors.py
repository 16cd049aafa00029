"""Domain errors in Quay's dialect, with the keys of all its shapes of errors."""

from typing import Any

import pytest

from chalicelib.domain import errors
from chalicelib.edge.api.framework.errors import DESCRIPTIONS, TYPES, to_reply

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.RegistryError)]
KEYS = {"status", "detail", "error_message", "error_type", "title", "type", "message"}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not errors.RegistryError])
def test_every_kind_of_error_has_a_row_or_an_ancestor_with_one(kind: type[errors.RegistryError]) -> None:
    assert any(ancestor in TYPES for ancestor in kind.__mro__)


def test_every_type_of_error_is_described() -> None:
    assert {kind for _, kind in TYPES.values()} <= set(DESCRIPTIONS)


@pytest.mark.parametrize(
    ("error", "status", "kind", "message"),
    [
        (errors.FieldInvalid("name", "too long"), 400, "invalid_request", "name: too long"),
        (errors.RepositoryTaken("a/b"), 400, "invalid_request", "Repository already exists"),
        (errors.RobotTaken("a+b"), 400, "invalid_request", "Existing robot with name: a+b"),
        (errors.RobotUnknown("b"), 400, "invalid_request", "Could not find robot with specified username"),
        (errors.NotGiven("User", "b"), 400, "invalid_request", "User does not have permission for repo."),
        (errors.Denied("a/b", "push"), 403, "insufficient_scope", "Unauthorized"),
        (errors.Unauthenticated("Requires authentication"), 401, "invalid_token", "Requires authentication"),
        (errors.FreshLoginRequired(), 401, "fresh_login_required", "The action requires a fresh login to succeed."),
        (errors.NameUnknown("a/b"), 404, "not_found", "Not Found"),
        (errors.ResourceUnknown("team", "x"), 404, "not_found", "Not Found"),
        (errors.BodyUnreadable("no", 415), 415, "invalid_request", "no"),
        (errors.TooManyAttempts(7), 429, "rate_limited", "Too many attempts: try again in 7 seconds"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_has_its_status_and_message(error: errors.RegistryError, status: int, kind: str, message: str) -> None:
    reply = to_reply(error, None)
    document = _document(reply)

    assert reply.status_code == status
    assert set(document) >= KEYS
    assert (document["error_type"], document["message"], document["detail"]) == (kind, message, message)
    assert document["type"].endswith(f"/api/v1/error/{kind}")


def test_a_bug_gives_no_details() -> None:
    reply = to_reply(KeyError("secret"), None)

    assert reply.status_code == 500
    assert "secret" not in str(reply.body)


def test_too_many_attempts_say_how_long_to_wait() -> None:
    assert to_reply(errors.TooManyAttempts(7), None).headers["Retry-After"] == "7"
    assert to_reply(errors.Unavailable(), None).headers["Retry-After"] == "1"


def test_a_csrf_error_has_the_fields_of_quay_s() -> None:
    assert _document(to_reply(errors.CsrfInvalid(), None))["error"] == "CSRF token was invalid or missing."


def _document(reply: Any) -> Any:
    import json

    return json.loads(reply.body)

"""Domain errors in Quay's dialect, each with the keys of its kind and no others."""

from typing import Any

import pytest

from chalicelib.domain import errors
from chalicelib.edge.api.framework.errors import DESCRIPTIONS, TYPES, to_reply

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.RegistryError)]
KEYS = {"status", "detail", "error_message", "error_type", "title", "type"}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not errors.RegistryError])
def test_every_kind_of_error_has_a_row_or_an_ancestor_with_one(kind: type[errors.RegistryError]) -> None:
    assert any(ancestor in TYPES for ancestor in kind.__mro__)


def test_every_type_of_error_is_described() -> None:
    assert {kind for _, kind in TYPES.values()} <= set(DESCRIPTIONS)


@pytest.mark.parametrize(
    ("error", "status", "kind", "message"),
    [
        (errors.FieldInvalid("name", "too long"), 400, "invalid_request", "name: too long"),
        (errors.EmailInvalid("email"), 400, "invalid_request", "Invalid email address"),
        (errors.RepositoryTaken("a/b"), 400, "invalid_request", "Repository already exists"),
        (errors.RobotTaken("a+b"), 400, "invalid_request", "Existing robot with name: a+b"),
        (errors.Denied("a/b", "push"), 403, "insufficient_scope", "Unauthorized"),
        (errors.Unauthenticated("Requires authentication"), 401, "invalid_token", "Requires authentication"),
        (errors.FreshLoginRequired(), 401, "fresh_login_required", "The action requires a fresh login to succeed."),
        (errors.NameUnknown("a/b"), 404, "not_found", "Not Found"),
        (errors.ResourceUnknown("team", "x"), 404, "not_found", "Not Found"),
        (errors.TagImmutable("a/b", "v1"), 409, "tag_immutable", str(errors.TagImmutable("a/b", "v1"))),
        (errors.TooManyAttempts(7), 429, "rate_limited", "Too many attempts: try again in 7 seconds"),
        (errors.SoleOwner(["acme"]), 400, "invalid_request", str(errors.SoleOwner(["acme"]))),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_of_the_api_is_a_problem_object(
    error: errors.RegistryError, status: int, kind: str, message: str
) -> None:
    reply = to_reply(error, None)
    document = _document(reply)

    assert reply.status_code == status
    assert set(document) == KEYS
    assert (document["error_type"], document["title"]) == (kind, kind)
    assert (document["detail"], document["error_message"], document["status"]) == (message, message, status)
    assert document["type"].endswith(f"/api/v1/error/{kind}")


@pytest.mark.parametrize(
    ("error", "status", "document"),
    [
        (errors.DataInvalid("", "no"), 400, {"message": "no"}),
        (errors.RobotUnknown("b"), 400, {"message": "Could not find robot with specified username"}),
        (errors.NotGiven("User", "b"), 400, {"message": "User does not have permission for repo."}),
        (errors.AlreadyMember("a", "b"), 400, {"message": "User a is already a member of team b"}),
        (errors.ParameterInvalid("limit", "a number"), 400, {"message": {"limit": "a number"}}),
        (errors.BodyUnreadable("no", 415), 415, {"message": "no"}),
        (errors.RepositoryFrozen(1), 503, {"message": "Repository is in read only or mirror mode: 1"}),
        (errors.MirrorInvalid("", "why"), 400, {"detail": "why"}),
        (
            errors.MirrorTaken("a/b"),
            409,
            {"detail": "Mirror configuration already exits for repository a/b"},
        ),
        (errors.RobotInUse("a+b"), 400, {"message": "Robot is being used by a mirror"}),
        (errors.CsrfInvalid(), 403, {"error": "CSRF token was invalid or missing."}),
        (
            errors.WrongCredentials(),
            403,
            {"message": "Invalid Username or Password", "invalidCredentials": True, "needsEmailVerification": False},
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_another_error_has_the_keys_of_its_kind_alone(
    error: errors.RegistryError, status: int, document: dict[str, Any]
) -> None:
    reply = to_reply(error, None)

    assert (reply.status_code, _document(reply)) == (status, document)


def test_a_bug_gives_no_details() -> None:
    reply = to_reply(KeyError("secret"), None)

    assert reply.status_code == 500
    assert "secret" not in str(reply.body)


def test_too_many_attempts_say_how_long_to_wait() -> None:
    assert to_reply(errors.TooManyAttempts(7), None).headers["Retry-After"] == "7"
    assert to_reply(errors.Unavailable(), None).headers["Retry-After"] == "1"


def _document(reply: Any) -> Any:
    import json

    return json.loads(reply.body)

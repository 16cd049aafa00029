"""Domain errors in Quay's dialect: the one table from error class to status and `error_type`.

Quay has several shapes of errors side by side: a problem object of six keys for what its API refuses, `message` alone
for what its data model or its framework refuses, `error` for a CSRF token, `detail` for a repository's state and its
mirror. An error here has the keys of its kind in Quay and no others: clients generated from Quay's document refuse
unknown keys.
"""

from collections.abc import Collection
from typing import Any

from chalice.app import Request

from chalicelib.domain import errors
from chalicelib.edge.request_lines import note_refusal
from chalicelib.edge.response import Reply, as_json
from chalicelib.settings import settings

INVALID, TOKEN, SCOPE, UNKNOWN = "invalid_request", "invalid_token", "insufficient_scope", "not_found"
# A subclass without a row of its own uses that of its nearest ancestor.
TYPES: dict[type[errors.RegistryError], tuple[int, str]] = {
    errors.Invalid: (400, INVALID),
    errors.OutOfOrder: (400, INVALID),
    errors.NotFound: (404, UNKNOWN),
    errors.Unauthenticated: (401, TOKEN),
    errors.WrongCredentials: (403, SCOPE),
    errors.FreshLoginRequired: (401, "fresh_login_required"),
    errors.Denied: (403, SCOPE),
    errors.CsrfInvalid: (403, SCOPE),
    errors.TooManyAttempts: (429, "rate_limited"),
    errors.WrongEndpoint: (403, SCOPE),
    errors.TooLarge: (413, INVALID),
    # Quay answers 400 for something that exists already, and its clients look for that.
    errors.Conflict: (400, INVALID),
    errors.TagImmutable: (409, "tag_immutable"),
    errors.MirrorTaken: (409, INVALID),
    errors.RestoreTaken: (409, INVALID),
    errors.RestoreTooLate: (410, UNKNOWN),
    errors.RepositoryFrozen: (503, "unavailable"),
    errors.MethodUnsupported: (405, INVALID),
    errors.MailOff: (405, INVALID),
    errors.Unsupported: (400, INVALID),
    errors.Unavailable: (503, "unavailable"),
}
# What Quay's data model or its framework refuses; a subclass counts as well.
PLAIN = (
    errors.AlreadyInitialized,
    errors.AlreadyMember,
    errors.BodyTooLarge,
    errors.BodyUnreadable,
    errors.DataInvalid,
    errors.LastOwner,
    errors.MethodUnsupported,
    errors.NotGiven,
    errors.RepositoryFrozen,
    errors.RobotInUse,
    errors.RobotUnknown,
    errors.ScopeInvalid,
    errors.TagInvalid,
    errors.TeamInvalid,
)
# The descriptions that `/api/v1/error/{error_type}` answers.
DESCRIPTIONS = {
    INVALID: "The request was invalid.",
    "invalid_response": "The response was invalid.",
    TOKEN: "The access token provided was invalid.",
    "expired_token": "The access token provided has expired.",
    SCOPE: "The access token did not have sufficient scope to access the requested resource.",
    "fresh_login_required": "The action requires a fresh login to succeed.",
    "exceeds_license": "The action was refused because the current license does not allow it.",
    UNKNOWN: "The resource was not found.",
    "downstream_issue": "An error occurred in a downstream service.",
    "external_service_timeout": "An external service took too long.",
    "tag_immutable": "The tag is immutable.",
    "rate_limited": "There were too many attempts.",
    "unavailable": "A part of the registry does not answer now.",
}


def to_reply(error: Exception, _: Request | None) -> Reply:
    """Returns the reply to an error; any other exception is a bug, whose reply gives no details."""
    if not isinstance(error, errors.RegistryError):
        return problem(500, "internal_error", "an error on our side: try again, and tell the operator the request id")
    status, kind = _row(error)
    document = _document(error)
    reply = problem(status, kind, _message(error)) if document is None else as_json(document, status)
    if isinstance(error, errors.TooManyAttempts | errors.Unavailable):
        reply.headers["Retry-After"] = str(error.retry_after_s)
    return reply


def aborted(error: errors.RegistryError, statuses: Collection[int]) -> Reply | None:
    """Returns the reply with `message` alone to what would be a problem object of these statuses, None for the rest."""
    status, _ = _row(error)
    is_other = status not in statuses or _document(error) is not None
    return None if is_other else as_json({"message": _message(error)}, status)


def _row(error: errors.RegistryError) -> tuple[int, str]:
    """Returns status and `error_type`, which the log's line of the request gets as well."""
    status, kind = next(TYPES[ancestor] for ancestor in type(error).__mro__ if ancestor in TYPES)
    note_refusal(kind, error)
    return (error.status if isinstance(error, errors.BodyUnreadable) else status), kind


def _message(error: errors.RegistryError) -> str:
    """Returns Quay's fixed words for a refusal or a missing resource, else the error's own message."""
    if isinstance(error, errors.Denied) and not isinstance(error, errors.QuotaExceeded):
        return "Unauthorized"
    if isinstance(error, errors.NotFound) and not isinstance(error, errors.FeatureUnserved):
        return "Not Found"
    return str(error)


def _document(error: errors.RegistryError) -> dict[str, Any] | None:
    """Returns the document of an error that is no problem object in Quay; None for a problem object."""
    if isinstance(error, errors.CsrfInvalid):
        return {"error": str(error)}
    if isinstance(error, errors.WrongCredentials):
        return {"message": str(error), "invalidCredentials": True, "needsEmailVerification": False}
    if isinstance(error, errors.ParameterInvalid):
        return {"message": {error.field: error.why}}
    if isinstance(error, errors.MirrorInvalid | errors.MirrorTaken):
        return {"detail": str(error)}
    return {"message": str(error)} if isinstance(error, PLAIN) else None


def problem(status: int, kind: str, message: str, **payload: Any) -> Reply:
    """Returns Quay's error object (after RFC 7807), with more keys where Quay has them."""
    document = {
        "status": status,
        "detail": message,
        "error_message": message,
        "error_type": kind,
        "title": kind,
        "type": f"{settings().url}/api/v1/error/{kind}",
    }
    return as_json(document | payload, status)

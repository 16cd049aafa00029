"""Domain errors in OCI's dialect: the one table from error class to code and status.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
"""

from chalice.app import Request

from chalicelib.domain import errors
from chalicelib.edge.registry.challenges import challenge
from chalicelib.edge.request_lines import note_refusal
from chalicelib.edge.response import Headers, Reply, as_json

# A subclass without a row of its own uses that of its nearest ancestor.
CODES: dict[type[errors.RegistryError], tuple[str, int]] = {
    errors.NameInvalid: ("NAME_INVALID", 400),
    errors.TagInvalid: ("MANIFEST_INVALID", 400),
    errors.DigestInvalid: ("DIGEST_INVALID", 400),
    errors.SizeInvalid: ("SIZE_INVALID", 400),
    errors.ManifestInvalid: ("MANIFEST_INVALID", 400),
    errors.ManifestBlobUnknown: ("MANIFEST_BLOB_UNKNOWN", 400),
    errors.BlobUploadInvalid: ("BLOB_UPLOAD_INVALID", 400),
    errors.PageInvalid: ("UNSUPPORTED", 400),
    errors.ScopeInvalid: ("UNSUPPORTED", 400),
    errors.Invalid: ("UNSUPPORTED", 400),
    errors.OutOfOrder: ("BLOB_UPLOAD_INVALID", 416),
    errors.NameUnknown: ("NAME_UNKNOWN", 404),
    errors.ManifestUnknown: ("MANIFEST_UNKNOWN", 404),
    errors.BlobUnknown: ("BLOB_UNKNOWN", 404),
    errors.BlobUploadUnknown: ("BLOB_UPLOAD_UNKNOWN", 404),
    errors.NotFound: ("UNSUPPORTED", 404),
    errors.Unauthenticated: ("UNAUTHORIZED", 401),
    errors.Denied: ("DENIED", 403),
    errors.WrongEndpoint: ("DENIED", 403),
    errors.CsrfInvalid: ("DENIED", 403),
    errors.TooManyAttempts: ("TOOMANYREQUESTS", 429),
    errors.ManifestTooLarge: ("SIZE_INVALID", 413),
    errors.TooLarge: ("SIZE_INVALID", 413),
    errors.Conflict: ("DENIED", 409),
    errors.RepositoryFrozen: ("DENIED", 403),
    errors.Unsupported: ("UNSUPPORTED", 405),
    # Not in the specification's list, which is for 4xx: docker and crane retry a 503 but not a 429.
    errors.Unavailable: ("UNAVAILABLE", 503),
}


def to_reply(error: Exception, request: Request | None) -> Reply:
    """Returns the reply to an error; any other exception is a bug, whose reply gives no details."""
    if not isinstance(error, errors.RegistryError):
        return _reply(500, "UNKNOWN", "an error on our side: try again, and tell the operator the request id", {}, {})
    code, status = next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)
    note_refusal(code, error)
    headers: Headers = {}
    if isinstance(error, errors.Unauthenticated):
        headers = challenge(request, error.why)
    elif isinstance(error, errors.Denied):
        # RFC 6750 section 3.1: a client with an account that has the right may ask for another token.
        headers = challenge(request, "insufficient_scope")
    elif isinstance(error, errors.Unavailable | errors.TooManyAttempts):
        headers = {"Retry-After": str(error.retry_after_s)}
    elif isinstance(error, errors.OutOfOrder) and error.offset:
        headers = {"Range": f"0-{error.offset - 1}"}
    return _reply(status, code, str(error), error.detail, headers)


def _reply(status: int, code: str, message: str, detail: dict[str, object], headers: Headers) -> Reply:
    entry: dict[str, object] = {"code": code, "message": message}
    if detail:
        entry["detail"] = detail
    version = {"Docker-Distribution-API-Version": "registry/2.0"}
    return as_json({"errors": [entry]}, status, version | headers)

"""Which words an answer has: OCI's under /v2, Quay's everywhere else."""

from chalice.app import Request

from chalicelib.edge.api.framework import errors as quay
from chalicelib.edge.registry import errors as oci
from chalicelib.edge.response import Reply


def is_registry(path: str) -> bool:
    """Whether a path is one of OCI's."""
    return path == "/v2" or path.startswith("/v2/")


def to_reply(error: Exception, request: Request | None) -> Reply:
    """The answer to an error in the dialect of the path that was asked."""
    path = str(request.context.get("path") or "") if request else ""
    return oci.to_reply(error, request) if is_registry(path) else quay.to_reply(error, request)

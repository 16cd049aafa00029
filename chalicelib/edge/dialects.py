"""The dialect of a reply: OCI's under /v2, Quay's everywhere else."""

from chalice.app import Request

from chalicelib.edge.api.framework import errors as quay
from chalicelib.edge.registry import errors as oci
from chalicelib.edge.response import Reply


def is_registry_path(path: str) -> bool:
    """Returns whether a path belongs to OCI's API."""
    return path == "/v2" or path.startswith("/v2/")


def to_reply(error: Exception, request: Request | None) -> Reply:
    """Returns the reply to an error in the dialect of the requested path."""
    path = str(request.context.get("path") or "") if request else ""
    return oci.to_reply(error, request) if is_registry_path(path) else quay.to_reply(error, request)

"""Quay's keys of its services. Cloudberth has none: IAM roles identify its functions."""

from typing import Any

from chalicelib.edge.api.framework.operations import Operations, a_list, an_object

operations = Operations(__name__, "service_keys")


@operations.get(
    "/keys/services/{service}/keys",
    "listServiceKeys",
    answers={200: an_object({"keys": a_list(an_object())})},
    is_internal=True,
)
def list_keys(service: str) -> dict[str, Any]:  # noqa: ARG001 - no service has a key
    """Lists the public keys of a service: there are none."""
    return {"keys": []}

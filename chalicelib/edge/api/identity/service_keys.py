"""Quay's keys of services that speak to it. Cloudberth has none: its functions are told apart by their roles."""

from typing import Any

from chalicelib.edge.api.framework.operations import Operations, a_list, an_object

operations = Operations(__name__, "service_keys")


@operations.get(
    "/keys/services/{service}/keys",
    "listServiceKeys",
    answers={200: an_object({"keys": a_list(an_object())})},
    is_internal=True,
)
def list_keys(service: str) -> dict[str, Any]:  # noqa: ARG001 - whichever is asked for, it has none
    """The public keys of a service: none."""
    return {"keys": []}

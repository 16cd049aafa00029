"""Quay's keys of its services, by which they know each other. Cloudberth has none: IAM roles identify its functions."""

from typing import Any

from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import SUPER_USER
from chalicelib.edge.api.framework.operations import Operations, a_list, an_object
from chalicelib.wiring import services

operations = Operations(__name__, "service_keys")
KEYS: dict[str, Any] = {"answers": {200: an_object({"keys": a_list(an_object())})}}


@operations.get("/api/v1/superuser/keys", "listServiceKeys", scope=SUPER_USER, **KEYS)
def list_all_keys(actor: Actor) -> dict[str, Any]:
    """Lists the keys of all services, for superusers: there are none."""
    services().security.access.superuser(actor)
    return {"keys": []}


@operations.get("/keys/services/{service}/keys", "listPublicServiceKeys", is_internal=True, **KEYS)
def list_keys(service: str) -> dict[str, Any]:  # noqa: ARG001 - no service has a key
    """Lists the public keys of a service: there are none."""
    return {"keys": []}

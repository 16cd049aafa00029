"""The size of the registry, for superusers."""

from typing import Any

from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import SUPER_USER
from chalicelib.edge.api.framework.operations import FLAG, NUMBER, Operations, an_object, or_null
from chalicelib.edge.response import Reply, as_json
from chalicelib.services.accounts.registry_size import RegistrySize
from chalicelib.wiring import services

operations = Operations(__name__, "superuser")
SIZE = an_object({"size_bytes": NUMBER, "last_ran": or_null(NUMBER), "queued": FLAG, "running": FLAG})
GUARD: dict[str, Any] = {"scope": SUPER_USER, "is_fresh": True}
PATH = "/api/v1/superuser/registrysize"


@operations.get(PATH, "getRegistrySize", answers={200: SIZE}, is_internal=True, slash=True, **GUARD)
def get(actor: Actor) -> dict[str, Any]:
    """Returns the bytes that all namespaces link, as last counted."""
    return _size_json(services().accounts.registry_sizes.last(actor))


@operations.post(PATH, "queueRegistrySizeCalculation", answers={201: SIZE}, is_internal=True, slash=True, **GUARD)
def count(actor: Actor) -> Reply:
    """Counts the bytes that all namespaces link; repeat the call while `running` is true."""
    return as_json(_size_json(services().accounts.registry_sizes.count(actor)), 201)


def _size_json(size: RegistrySize) -> dict[str, Any]:
    return {
        "size_bytes": size.bytes,
        "last_ran": None if size.counted_at is None else size.counted_at * 1000,
        "queued": False,
        "running": size.is_running,
    }

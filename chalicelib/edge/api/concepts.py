"""All concepts of the API, by room: each is a module with its `operations`."""

from importlib import import_module

from chalicelib.edge.api.framework import declared
from chalicelib.edge.oauth import authorize

ROOMS = {
    "framework": "descriptions discovery",
    "accounts": (
        "messages organizations permissions prototypes quotas registry_size robots superusers teams"
        " user_notifications users"
    ),
    "activity": "pulls usage_log",
    "identity": "app_tokens applications assignments client_keys federation service_keys setup signin",
    "registry": "manifests repositories tags",
    "mirroring": "health mirrors organization_mirrors proxy_caches runs",
    "lifecycle": "autoprune garbage_progress images immutability repository_deletion retention",
    "catalog": "builds capabilities features health installation search stars",
}
CONCEPTS = (
    authorize,
    *(import_module(f"{__package__}.{room}.{name}") for room, names in ROOMS.items() for name in names.split()),
)
declared.register(CONCEPTS)

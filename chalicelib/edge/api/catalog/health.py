"""Whether the registry is well, for load balancers and monitors: Quay's checks of what stands in their place here."""

from typing import Any

from chalicelib.edge.api.framework.operations import NUMBER, Operations, a_page, an_object
from chalicelib.edge.response import Reply, as_json
from chalicelib.services.catalog.health import Health
from chalicelib.wiring import services

operations = Operations(__name__, "health")
HEALTH = an_object({"data": an_object({"services": an_object()}), "status_code": NUMBER})
NEVER_KEPT = {"Cache-Control": "no-cache, no-store, must-revalidate"}
INSTANCE: dict[str, Any] = {"answers": {200: HEALTH, 503: HEALTH}, "is_internal": True}
PING: dict[str, Any] = {"answers": {200: a_page("text/plain")}, "is_internal": True}


@operations.get("/health", "getHealth", **INSTANCE)
def health() -> Reply:
    """Whether this process, the table, the bucket and the keys answer."""
    return _instance()


@operations.get("/health/instance", "getInstanceHealth", **INSTANCE)
def instance() -> Reply:
    """The same, under Quay's name for it."""
    return _instance()


def _instance() -> Reply:
    found = services().catalog.health.health()
    # A process that answers has all of what Quay's has besides: no disk of ours fills up.
    here = {"disk_space": True, "registry_gunicorn": True, "web_gunicorn": True}
    return _told(found, {**_parts(found), "service_key": found.keys, **here})


@operations.get("/health/endtoend", "getEndToEndHealth", **INSTANCE)
def end_to_end() -> Reply:
    """Whether what every process shares answers."""
    return _end_to_end()


@operations.get("/status", "getStatus", **INSTANCE)
def status() -> Reply:
    """The same, under Quay's older name for it."""
    return _end_to_end()


def _end_to_end() -> Reply:
    found = services().catalog.health.health()
    return _told(found, _parts(found))


@operations.get("/_internal_ping", "pingInternally", **PING)
def internal_ping() -> Reply:
    """That this process answers, and nothing else."""
    return _pong()


@operations.get("/v1/_ping", "pingV1", **PING)
def ping() -> Reply:
    """What clients of docker's first protocol ask first."""
    return _pong()


def _pong() -> Reply:
    return Reply("true", {"Content-Type": "text/plain", **NEVER_KEPT}, 200)


def _parts(found: Health) -> dict[str, bool]:
    return {"auth": found.table and found.keys, "database": found.table, "storage": found.bucket}


def _told(found: Health, parts: dict[str, bool]) -> Reply:
    code = 200 if found.is_well else 503
    document: dict[str, Any] = {"data": {"services": parts}, "status_code": code}
    return as_json(document, code, dict(NEVER_KEPT))

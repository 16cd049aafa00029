"""Health checks for load balancers and monitors, under Quay's names."""

from typing import Any

from chalicelib.edge.api.framework.operations import NUMBER, Operations, a_page, an_object
from chalicelib.edge.response import Reply, as_json
from chalicelib.services.catalog.health import Health
from chalicelib.wiring import services

operations = Operations(__name__, "health")
HEALTH = an_object({"data": an_object({"services": an_object()}), "status_code": NUMBER})
NO_STORE = {"Cache-Control": "no-cache, no-store, must-revalidate"}
INSTANCE: dict[str, Any] = {"answers": {200: HEALTH, 503: HEALTH}, "is_internal": True}
PING: dict[str, Any] = {"answers": {200: a_page("text/plain")}, "is_internal": True}


@operations.get("/health", "getHealth", **INSTANCE)
def health() -> Reply:
    """Checks this process, the table, the bucket and the keys."""
    return _instance()


@operations.get("/health/instance", "getInstanceHealth", **INSTANCE)
def instance() -> Reply:
    """Checks the same as `/health`, under Quay's name."""
    return _instance()


def _instance() -> Reply:
    health = services().catalog.health.health()
    # Quay checks its disk and its processes; a function that answers has both.
    processes = {"disk_space": True, "registry_gunicorn": True, "web_gunicorn": True}
    parts = {**_service_states(health), "service_key": health.keys, **processes}
    return _health_reply(parts, is_well=health.is_well)


@operations.get("/health/warning", "getHealthWarning", **INSTANCE)
def warning() -> Reply:
    """Checks for what does no harm yet: less than a tenth of the disk for temporary files is free."""
    has_space = services().catalog.health.has_disk_space()
    return _health_reply({"disk_space_warning": has_space}, is_well=has_space)


@operations.get("/health/endtoend", "getEndToEndHealth", **INSTANCE)
def end_to_end() -> Reply:
    """Checks the table, the bucket and the keys, which all processes share."""
    return _end_to_end()


@operations.get("/status", "getStatus", **INSTANCE)
def status() -> Reply:
    """Checks the same as `/health/endtoend`, under Quay's older name."""
    return _end_to_end()


def _end_to_end() -> Reply:
    health = services().catalog.health.health()
    # Quay keeps its locks and short-lived data in Redis. The table has them here.
    return _health_reply({**_service_states(health), "redis": health.table}, is_well=health.is_well)


@operations.get("/_internal_ping", "pingInternally", **PING)
def internal_ping() -> Reply:
    """Confirms that this process answers, and checks nothing else."""
    return _pong()


@operations.get("/v1/_ping", "pingV1", **PING)
def ping() -> Reply:
    """Answers the first request of clients of Docker's v1 protocol."""
    return _pong()


def _pong() -> Reply:
    return Reply("true", {"Content-Type": "text/plain", **NO_STORE}, 200)


def _service_states(health: Health) -> dict[str, bool]:
    return {"auth": health.table and health.keys, "database": health.table, "storage": health.bucket}


def _health_reply(parts: dict[str, bool], *, is_well: bool) -> Reply:
    code = 200 if is_well else 503
    document: dict[str, Any] = {"data": {"services": parts}, "status_code": code}
    return as_json(document, code, dict(NO_STORE))

"""Health of mirrors, for monitors and for those who look after a namespace."""

from typing import Any

from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import ORG_ADMIN, SUPER_USER
from chalicelib.edge import request
from chalicelib.edge.api.framework.operations import (
    FLAG,
    NUMBER,
    TEXT,
    Operations,
    Parameter,
    a_list,
    an_object,
    or_null,
)
from chalicelib.edge.api.framework.shapes import iso
from chalicelib.edge.response import Reply, as_json
from chalicelib.services.mirroring.health import LARGEST_PAGE, HealthOfMirrors, MirrorPage, MirrorState, retries_left
from chalicelib.wiring import services

operations = Operations(__name__, "mirrorhealth")
NO_STORE = {"Cache-Control": "no-cache, no-store, must-revalidate"}
USUAL_PAGE = 100
DETAIL = an_object(
    {
        "namespace": TEXT,
        "repository": TEXT,
        "sync_status": TEXT,
        "is_enabled": FLAG,
        "last_sync": or_null(TEXT),
        "retries_remaining": NUMBER,
    }
)
COUNTS = ("total", "syncing", "completed", "failed", "never_run")
HEALTH = an_object(
    {
        "healthy": FLAG,
        "workers": an_object({"active": NUMBER, "configured": NUMBER, "status": TEXT}),
        "repositories": an_object(
            dict.fromkeys(COUNTS, NUMBER),
            details=a_list(DETAIL),
            pagination=an_object({"limit": NUMBER, "offset": NUMBER, "has_more": FLAG}),
        ),
        "tags_pending": NUMBER,
        "last_check": TEXT,
        "issues": a_list(an_object({"severity": TEXT, "message": TEXT, "timestamp": TEXT})),
    }
)
ANSWERS: dict[int, Any] = {200: HEALTH, 503: HEALTH}
NAMESPACE = Parameter("namespace", "string", "The namespace of the mirrors; only superusers may leave it out")
PAGE = (
    Parameter("detailed", "boolean", "Whether to show the mirrors one by one"),
    Parameter("limit", "integer", f"How many of them to show at most: {USUAL_PAGE} by default, up to {LARGEST_PAGE}"),
    Parameter("offset", "integer", "How many of them to skip"),
)


@operations.get(
    "/api/v1/repository/mirror/health",
    "getRepositoryMirrorHealth",
    scope=ORG_ADMIN,
    parameters=(NAMESPACE, *PAGE),
    answers=ANSWERS,
    errors=(404,),
    is_fresh=True,
)
def of_namespace(actor: Actor) -> Reply:
    """Returns whether a namespace's mirrors work, for its members: 503 if more than a fifth of them fail."""
    namespace, page, health = request.parameter("namespace"), _page(), services().mirroring.health
    found = health.of_namespace(actor, namespace, page) if namespace else health.of_all(actor, page)
    return _reply(found, page)


@operations.get(
    "/api/v1/superuser/mirror/health",
    "getSuperUserRepositoryMirrorHealth",
    scope=SUPER_USER,
    parameters=(NAMESPACE, *PAGE),
    answers=ANSWERS,
    errors=(404,),
    is_fresh=True,
)
def of_all(actor: Actor) -> Reply:
    """Returns whether all mirrors work, or those of one namespace, for superusers."""
    page = _page()
    return _reply(services().mirroring.health.of_all(actor, page, request.parameter("namespace")), page)


def _page() -> MirrorPage:
    if not request.flag("detailed"):
        return MirrorPage()
    limit, offset = request.number("limit", USUAL_PAGE), request.number("offset", 0)
    return MirrorPage(min(max(limit, 1), LARGEST_PAGE), offset)


def _reply(health: HealthOfMirrors, page: MirrorPage) -> Reply:
    return as_json(health_json(health, page), 200 if health.is_healthy else 503, dict(NO_STORE))


def health_json(health: HealthOfMirrors, page: MirrorPage) -> dict[str, Any]:
    """Returns the health of mirrors. Workers are functions that start when they are needed: none is configured."""
    counts, now = health.counts, iso(health.checked_at)
    repositories: dict[str, Any] = {
        "total": counts.total(),
        "syncing": counts[SyncStatus.SYNCING],
        "completed": counts[SyncStatus.SUCCESS],
        "failed": counts[SyncStatus.FAIL],
        "never_run": counts[SyncStatus.NEVER_RUN],
    }
    if page.limit:
        repositories["details"] = [_detail_json(state) for state in health.page]
        repositories["pagination"] = {"limit": page.limit, "offset": page.offset, "has_more": health.has_more}
    issues = [{"severity": one.severity, "message": one.message, "timestamp": now} for one in health.issues]
    return {
        "healthy": health.is_healthy,
        "workers": {"active": 0, "configured": 0, "status": "healthy" if health.is_healthy else "degraded"},
        "repositories": repositories,
        "tags_pending": 0,
        "last_check": now,
        "issues": issues,
    }


def _detail_json(state: MirrorState) -> dict[str, Any]:
    namespace, _, name = state.repository.partition("/")
    return {
        "namespace": namespace,
        "repository": name,
        "sync_status": state.row.status,
        "is_enabled": bool(state.row.is_enabled),
        "last_sync": iso(state.row.synced_at),
        "retries_remaining": retries_left(state.row),
    }

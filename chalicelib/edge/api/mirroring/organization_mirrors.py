"""Mirrors of organizations: all repositories of a namespace at another registry, as Quay has them."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from chalicelib.domain.errors import ParameterInvalid
from chalicelib.domain.mirror_changes import MirrorChanges, parse_credentials, parse_date
from chalicelib.domain.mirror_sources import parse_namespace
from chalicelib.domain.mirrors import MirrorSource, SyncStatus
from chalicelib.domain.organization_mirrors import (
    NAMESPACE,
    SKIP,
    SourceKind,
    parse_filters,
    parse_url,
)
from chalicelib.domain.permissions import Actor
from chalicelib.domain.repositories import Visibility
from chalicelib.domain.scopes import ORG_ADMIN
from chalicelib.edge import request
from chalicelib.edge.api.framework import paths
from chalicelib.edge.api.framework.operations import (
    FLAG,
    NUMBER,
    TEXT,
    Operations,
    Parameter,
    a_list,
    an_object,
    one_of,
    or_null,
    text,
)
from chalicelib.edge.api.framework.shapes import iso
from chalicelib.edge.api.mirroring.mirrors import CONFIG, LARGEST_NUMBER, config_json, parse_config
from chalicelib.edge.response import Reply, as_json
from chalicelib.services.mirroring.health import retries_left
from chalicelib.services.mirroring.organization_mirrors import DiscoveredRepository, OrganizationMirrorView
from chalicelib.wiring import services

operations = Operations(__name__, "mirror")
MIRROR = paths.ORGANIZATION + "/mirror"
STATUSES = (*(status.value for status in SyncStatus), SKIP)
USUAL_PAGE, LARGEST_PAGE = 100, 500

FIELDS = {
    "external_registry_url": text("The other registry: https://HOST"),
    "external_namespace": text("The namespace or project there"),
    "robot_username": text("The robot of the organization that makes and fills the repositories"),
    "visibility": {**one_of(*Visibility), "description": "That of the repositories that it makes"},
    "sync_interval": {
        **NUMBER,
        "minimum": 60,
        "maximum": LARGEST_NUMBER,
        "description": "Seconds from one discovery, and from one run of each repository, to the next",
    },
    "sync_start_date": text("When the first discovery begins: YYYY-MM-DDTHH:MM:SSZ"),
    "is_enabled": {**FLAG, "description": "Whether the schedule begins discoveries and runs"},
    "external_registry_username": or_null(text("The user at the other registry; null for none")),
    "external_registry_password": or_null(
        text("The password there: for Quay an API token, with $oauthtoken as username; an empty one changes nothing")
    ),
    "external_registry_config": CONFIG,
    "repository_filters": a_list(
        text("A repository, a pattern such as team-*, or after ! repositories that are left out; all by default")
    ),
    "skopeo_timeout": {
        **NUMBER,
        "minimum": 30,
        "maximum": 3600,
        "description": "The longest time for one tag in seconds: 300 by default",
    },
}
REQUIRED = tuple(FIELDS)[:6]
NEW = an_object(
    {"external_registry_type": one_of(*SourceKind), **{name: FIELDS[name] for name in REQUIRED}},
    **{name: schema for name, schema in FIELDS.items() if name not in REQUIRED},
)
# Quay ignores another type; another registry is another mirror.
CHANGES = an_object(**FIELDS, external_registry_type=text("Stays as it is"))
SHOWN = an_object(
    {
        "is_enabled": FLAG,
        "external_registry_type": one_of(*SourceKind),
        "external_registry_url": TEXT,
        "external_namespace": TEXT,
        "external_registry_username": or_null(TEXT),
        "has_external_registry_password": FLAG,
        "external_registry_config": CONFIG,
        "repository_filters": a_list(TEXT),
        "robot_username": or_null(TEXT),
        "visibility": one_of(*Visibility),
        "sync_interval": NUMBER,
        "sync_start_date": TEXT,
        "sync_expiration_date": or_null(TEXT),
        "sync_status": one_of(*SyncStatus),
        "sync_retries_remaining": NUMBER,
        "repo_sync_status_counts": an_object(dict.fromkeys(STATUSES, NUMBER)),
        "skopeo_timeout": NUMBER,
        "creation_date": TEXT,
        "next_sync_date": or_null(TEXT),
        "last_sync_date": or_null(TEXT),
        "sync_message": {**TEXT, "description": "What the last discovery found, or why it failed"},
    }
)
REPOSITORY = an_object(
    {
        "name": TEXT,
        "sync_status": one_of(*STATUSES),
        "discovery_date": TEXT,
        "last_sync_date": or_null(TEXT),
        "status_message": or_null(TEXT),
        "quay_repository": or_null(TEXT),
    }
)
PAGE = an_object(
    {"repositories": a_list(REPOSITORY), "page": NUMBER, "limit": NUMBER, "total": NUMBER, "has_next": FLAG}
)
# Quay's fields that are fields of the settings, with what parses them.
SETTINGS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "external_registry_type": ("kind", SourceKind),
    "external_registry_url": ("url", parse_url),
    "external_namespace": ("namespace", partial(parse_namespace, NAMESPACE)),
    "visibility": ("visibility", Visibility),
    "sync_interval": ("interval_s", int),
    "sync_start_date": ("start_at", parse_date),
    "is_enabled": ("is_enabled", bool),
    "repository_filters": ("filters", parse_filters),
    "skopeo_timeout": ("timeout_s", int),
}


@operations.get(MIRROR, "getOrgMirrorConfig", scope=ORG_ADMIN, answers={200: SHOWN})
def get(actor: Actor, orgname: str) -> dict[str, Any]:
    """Returns the settings of an organization's mirror and how far its repositories are, without passwords."""
    return mirror_json(services().mirroring.organization_mirrors.get(actor, orgname))


@operations.post(MIRROR, "createOrgMirrorConfig", scope=ORG_ADMIN, body=NEW, answers={201: TEXT})
def create(actor: Actor, orgname: str, body: dict[str, Any]) -> Reply:
    """Makes an organization the mirror of a namespace at another registry; nobody else creates repositories in it."""
    services().mirroring.organization_mirrors.create(actor, orgname, requested(body, is_new=True))
    return as_json("", 201)


@operations.put(MIRROR, "updateOrgMirrorConfig", scope=ORG_ADMIN, body=CHANGES, answers={200: TEXT})
def change(actor: Actor, orgname: str, body: dict[str, Any]) -> Reply:
    """Changes settings of an organization's mirror, all of the request or none."""
    given = {name: value for name, value in body.items() if name != "external_registry_type"}
    services().mirroring.organization_mirrors.change(actor, orgname, requested(given, is_new=False))
    return as_json("", 200)


@operations.delete(MIRROR, "deleteOrgMirrorConfig", scope=ORG_ADMIN, answers={204: None})
def delete(actor: Actor, orgname: str) -> None:
    """Removes the mirror of an organization; its repositories stay, and take pushes again."""
    services().mirroring.organization_mirrors.delete(actor, orgname)


@operations.post(MIRROR + "/sync-now", "syncOrgMirrorNow", scope=ORG_ADMIN, answers={204: None})
def sync_now(actor: Actor, orgname: str) -> None:
    """Discovers the repositories now, and then begins a run in each of them."""
    services().mirroring.discoveries.request(actor, orgname)


@operations.post(MIRROR + "/sync-cancel", "cancelOrgMirrorSync", scope=ORG_ADMIN, answers={204: None})
def sync_cancel(actor: Actor, orgname: str) -> None:
    """Ends the discovery and all runs that are open: what they have copied stays, and the schedule goes on."""
    services().mirroring.discoveries.cancel(actor, orgname)


@operations.post(
    MIRROR + "/verify",
    "verifyOrgMirrorConnection",
    scope=ORG_ADMIN,
    answers={200: an_object({"success": FLAG, "message": TEXT})},
)
def verify(actor: Actor, orgname: str) -> dict[str, Any]:
    """Reaches the other registry with the stored settings, and lists repositories without making any."""
    probe = services().mirroring.organization_probes.verify(actor, orgname)
    return {"success": probe.is_success, "message": probe.message}


@operations.get(
    MIRROR + "/repositories",
    "listOrgMirrorRepositories",
    scope=ORG_ADMIN,
    parameters=(
        Parameter("status", "string", "Only repositories with this status", words=STATUSES),
        Parameter("page", "integer", "The number of the page, from 1"),
        Parameter("limit", "integer", f"How many a page has: {USUAL_PAGE} by default, at most {LARGEST_PAGE}"),
    ),
    answers={200: PAGE},
)
def list_repositories(actor: Actor, orgname: str) -> dict[str, Any]:
    """Lists the repositories that were discovered, by name, with their status: SKIP for those that are not mirrored."""
    status = request.parameter("status") or None
    if status not in (None, *STATUSES):
        raise ParameterInvalid("status", f"say one of {', '.join(STATUSES)}")
    page = max(request.number("page", 1), 1)
    limit = request.number("limit", USUAL_PAGE)
    limit = min(limit, LARGEST_PAGE) if limit > 0 else USUAL_PAGE
    found = services().mirroring.organization_mirrors.repositories(actor, orgname, status)
    shown = found[(page - 1) * limit : page * limit]
    return {
        "repositories": [_repository_json(orgname, one) for one in shown],
        "page": page,
        "limit": limit,
        "total": len(found),
        "has_next": page * limit < len(found),
    }


def requested(body: Mapping[str, Any], *, is_new: bool) -> MirrorChanges:
    """Parses the fields that a request gives. Raises FieldInvalid, MirrorInvalid."""
    settings = {field: parse(body[name]) for name, (field, parse) in SETTINGS.items() if name in body}
    source = parse_config(body.get("external_registry_config", {})) | parse_credentials(body, is_new=is_new)
    return MirrorChanges(settings, source, body.get("robot_username"))


def mirror_json(view: OrganizationMirrorView) -> dict[str, Any]:
    """Returns the mirror of an organization as its administrators see it."""
    settings, row = view.settings, view.row
    return {
        "is_enabled": settings.is_enabled,
        "external_registry_type": settings.kind,
        "external_registry_url": settings.url,
        "external_namespace": settings.namespace,
        "external_registry_username": settings.source.username or None,
        "has_external_registry_password": bool(settings.source.password),
        "external_registry_config": _config_json(settings.source),
        "repository_filters": list(settings.filters),
        "robot_username": view.robot,
        "visibility": settings.visibility,
        "sync_interval": settings.interval_s,
        "sync_start_date": iso(settings.start_at),
        "sync_expiration_date": iso(row.lease_until) if row.status is SyncStatus.SYNCING else None,
        "sync_status": row.status,
        "sync_retries_remaining": retries_left(row),
        "repo_sync_status_counts": {status: view.counts[status] for status in STATUSES},
        "skopeo_timeout": settings.timeout_s,
        "creation_date": iso(row.created_at),
        "next_sync_date": iso(row.next_at),
        "last_sync_date": iso(row.synced_at),
        "sync_message": row.message,
    }


def _config_json(source: MirrorSource) -> dict[str, Any]:
    """Returns how the other registry is reached, empty where nothing differs from what is usual."""
    config = config_json(source)
    return config if not source.verify_tls or any(config["proxy"].values()) else {}


def _repository_json(orgname: str, one: DiscoveredRepository) -> dict[str, Any]:
    return {
        "name": one.discovered.name,
        "sync_status": one.status,
        "discovery_date": iso(one.discovered.discovered_at),
        "last_sync_date": iso(one.row.synced_at) if one.row else None,
        "status_message": one.discovered.reason or None,
        "quay_repository": f"{orgname}/{one.discovered.name}" if one.discovered.repository_id else None,
    }

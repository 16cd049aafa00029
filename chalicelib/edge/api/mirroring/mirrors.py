"""Mirrors of repositories: sets them up, shows, changes and removes them."""

from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.domain.mirror_changes import (
    PROXIES,
    MirrorChanges,
    masked,
    parse_architectures,
    parse_credentials,
    parse_date,
    parse_patterns,
)
from chalicelib.domain.mirror_sources import parse_no_proxy, parse_proxy, parse_reference
from chalicelib.domain.mirrors import ARCHITECTURES, MirrorSource, SyncStatus
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import REPO_ADMIN
from chalicelib.edge.api.framework import paths
from chalicelib.edge.api.framework.operations import (
    FLAG,
    NUMBER,
    TEXT,
    Operations,
    a_list,
    an_object,
    one_of,
    or_null,
    text,
)
from chalicelib.edge.api.framework.shapes import iso
from chalicelib.edge.api.registry.repositories import repository_name
from chalicelib.edge.response import Reply, as_json
from chalicelib.services.mirroring.health import retries_left
from chalicelib.services.mirroring.mirrors import MirrorView
from chalicelib.wiring import services

operations = Operations(__name__, "mirror")
MIRROR = paths.REPOSITORY + "/mirror"
RULE_KIND = "tag_glob_csv"
LARGEST_NUMBER = 2**31 - 1

RULE = an_object(
    {
        "rule_kind": one_of(RULE_KIND),
        "rule_value": a_list(text("A tag, a pattern such as v1.*, or after ! tags that are left out")),
    }
)
PROXY = an_object(
    http_proxy=or_null(text("The proxy for http://")),
    https_proxy=or_null(text("The proxy for https://")),
    no_proxy=or_null(text("Hosts that are asked without a proxy, separated by commas")),
)
CONFIG = an_object(
    verify_tls={**FLAG, "description": "Whether the other registry's certificate is verified, and plain http refused"},
    unsigned_images={**FLAG, "description": "Kept, without effect"},
    proxy=PROXY,
)
FIELDS = {
    "is_enabled": {**FLAG, "description": "Whether the schedule begins runs"},
    "external_reference": text("The repository to mirror: host[:port]/path"),
    "external_registry_username": or_null(text("The user at the other registry; null for none")),
    "external_registry_password": or_null(
        text("The password there, only with a username; an empty one changes nothing")
    ),
    "external_registry_config": CONFIG,
    "sync_interval": {
        **NUMBER,
        "minimum": 0,
        "maximum": LARGEST_NUMBER,
        "description": "Seconds from one run to the next; 0 for no run after the first",
    },
    "sync_start_date": text("When the first run begins: YYYY-MM-DDTHH:MM:SSZ"),
    "root_rule": RULE,
    "robot_username": text("The robot of the namespace that pushes what is copied"),
    "skopeo_timeout_interval": {
        **NUMBER,
        "minimum": 300,
        "maximum": LARGEST_NUMBER,
        "description": "The longest time for one tag in seconds: 300 by default",
    },
    "architecture_filter": or_null(
        {**a_list(TEXT), "description": f"The images to take of an index, all by default: {', '.join(ARCHITECTURES)}"}
    ),
}
REQUIRED = ("external_reference", "sync_interval", "sync_start_date", "root_rule", "robot_username")
NEW = an_object(
    {name: FIELDS[name] for name in REQUIRED},
    **{name: schema for name, schema in FIELDS.items() if name not in REQUIRED},
)
CHANGES = an_object(**FIELDS)
SHOWN = an_object(
    {
        "is_enabled": FLAG,
        "mirror_type": TEXT,
        "external_reference": TEXT,
        "external_registry_username": or_null(TEXT),
        "external_registry_config": CONFIG,
        "sync_interval": NUMBER,
        "sync_start_date": TEXT,
        "sync_expiration_date": or_null(TEXT),
        "sync_retries_remaining": NUMBER,
        "sync_status": one_of(*SyncStatus),
        "root_rule": RULE,
        "robot_username": or_null(TEXT),
        "skopeo_timeout_interval": NUMBER,
        "architecture_filter": a_list(TEXT),
        "next_sync_date": or_null(TEXT),
        "last_sync_date": or_null(TEXT),
    }
)
# Quay's fields that are fields of MirrorSettings and MirrorSource, with what parses them.
SETTINGS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "is_enabled": ("is_enabled", bool),
    "sync_interval": ("interval_s", int),
    "sync_start_date": ("start_at", parse_date),
    "skopeo_timeout_interval": ("timeout_s", int),
    "architecture_filter": ("architectures", parse_architectures),
}
SOURCE: Mapping[str, tuple[str, Callable[[Any], Any]]] = {"external_reference": ("reference", parse_reference)}


@operations.get(MIRROR, "getRepoMirrorConfig", scope=REPO_ADMIN, answers={200: SHOWN})
def get(actor: Actor, repository: str) -> dict[str, Any]:
    """Returns the settings of a repository's mirror and how far it is, without passwords."""
    return mirror_json(services().mirroring.mirrors.get(actor, repository_name(repository)))


@operations.post(MIRROR, "createRepoMirrorConfig", scope=REPO_ADMIN, body=NEW, answers={201: TEXT}, errors=(409,))
def create(actor: Actor, repository: str, body: dict[str, Any]) -> Reply:
    """Makes a repository a mirror of one at another registry; only the mirror's robot pushes into it then."""
    services().mirroring.mirrors.create(actor, repository_name(repository), requested(body, is_new=True))
    return as_json("", 201)


@operations.put(MIRROR, "changeRepoMirrorConfig", scope=REPO_ADMIN, body=CHANGES, answers={201: TEXT})
def change(actor: Actor, repository: str, body: dict[str, Any]) -> Reply:
    """Changes settings of a mirror, all of the request or none."""
    services().mirroring.mirrors.change(actor, repository_name(repository), requested(body, is_new=False))
    return as_json("", 201)


@operations.delete(MIRROR, "deleteRepoMirrorConfig", scope=REPO_ADMIN, answers={204: None})
def delete(actor: Actor, repository: str) -> None:
    """Removes a mirror's settings; the tags stay, and the repository takes pushes again."""
    services().mirroring.mirrors.delete(actor, repository_name(repository))


def requested(body: Mapping[str, Any], *, is_new: bool) -> MirrorChanges:
    """Parses the fields that a request gives. Raises FieldInvalid, MirrorInvalid."""
    config = body.get("external_registry_config", {})
    settings, source = _parsed(body, SETTINGS), _parsed(body, SOURCE)
    if "root_rule" in body:
        settings["patterns"] = parse_patterns(body["root_rule"]["rule_value"])
    if "unsigned_images" in config:
        settings["unsigned_images"] = config["unsigned_images"]
    source |= parse_config(config) | parse_credentials(body, is_new=is_new)
    return MirrorChanges(settings, source, body.get("robot_username"))


def parse_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Parses what a request gives of how another registry is reached. Raises MirrorInvalid."""
    found: dict[str, Any] = {"verify_tls": config["verify_tls"]} if "verify_tls" in config else {}
    given: Mapping[str, str | None] = config.get("proxy", {})
    for name, parse in {**dict.fromkeys(PROXIES, parse_proxy), "no_proxy": parse_no_proxy}.items():
        if name in given:
            value = given[name]
            found[name] = parse(f"external_registry_config.proxy.{name}", value) if value else ""
    return found


def _parsed(body: Mapping[str, Any], fields: Mapping[str, tuple[str, Callable[[Any], Any]]]) -> dict[str, Any]:
    return {field: parse(body[name]) for name, (field, parse) in fields.items() if name in body}


def mirror_json(view: MirrorView) -> dict[str, Any]:
    """Returns a mirror as its administrators see it."""
    settings, row = view.settings, view.row
    source = settings.source
    return {
        "is_enabled": settings.is_enabled,
        "mirror_type": "PULL",
        "external_reference": source.reference,
        "external_registry_username": source.username or None,
        "external_registry_config": {**config_json(source), "unsigned_images": settings.unsigned_images},
        "sync_interval": settings.interval_s,
        "sync_start_date": iso(settings.start_at),
        "sync_expiration_date": None,
        "sync_retries_remaining": retries_left(row),
        "sync_status": row.status,
        "root_rule": {"rule_kind": RULE_KIND, "rule_value": list(settings.patterns)},
        "robot_username": view.robot,
        "skopeo_timeout_interval": settings.timeout_s,
        "architecture_filter": list(settings.architectures),
        "next_sync_date": iso(row.next_at),
        "last_sync_date": iso(row.synced_at),
    }


def config_json(source: MirrorSource) -> dict[str, Any]:
    """Returns how another registry is reached, with proxies' passwords masked."""
    proxy = {name: masked(getattr(source, name)) for name in PROXIES} | {"no_proxy": source.no_proxy}
    return {"verify_tls": source.verify_tls, "proxy": {name: value or None for name, value in proxy.items()}}

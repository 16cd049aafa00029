"""Proxy caches: organizations whose repositories are fetched from another registry when they are pulled."""

from collections.abc import Mapping
from typing import Any

from chalicelib.domain.mirror_changes import parse_credentials
from chalicelib.domain.mirrors import MirrorSource
from chalicelib.domain.permissions import Actor
from chalicelib.domain.proxy_caches import USUAL_EXPIRATION_S, ProxyCacheSettings, parse_upstream
from chalicelib.domain.scopes import ORG_ADMIN
from chalicelib.edge.api.framework import paths
from chalicelib.edge.api.framework.operations import FLAG, NUMBER, TEXT, Operations, an_object, or_null, text
from chalicelib.edge.api.mirroring.mirrors import LARGEST_NUMBER
from chalicelib.edge.response import Reply, as_json
from chalicelib.wiring import services

operations = Operations(__name__, "proxycache")
CACHE = paths.ORGANIZATION + "/proxycache"
NEW = an_object(
    {"upstream_registry": text("The other registry, such as docker.io, or a namespace there, such as quay.io/team")},
    org_name=text("Has no effect: the path names the organization"),
    expiration_s={
        **NUMBER,
        "minimum": 1,
        "maximum": LARGEST_NUMBER,
        "description": f"Seconds after which a tag is asked for there again: {USUAL_EXPIRATION_S} by default",
    },
    insecure={**FLAG, "description": "Whether any certificate is accepted, and plain http"},
    upstream_registry_username=or_null(text("The user at the other registry; null for nobody")),
    upstream_registry_password=or_null(text("The password there, only with a username")),
)
# Quay shows empty texts where there is none.
SHOWN = an_object(
    {
        "upstream_registry": TEXT,
        "expiration_s": {"type": ["integer", "string"]},
        "insecure": {"type": ["boolean", "string"]},
    }
)


@operations.get(CACHE, "getProxyCacheConfig", scope=ORG_ADMIN, answers={200: SHOWN})
def get(actor: Actor, orgname: str) -> dict[str, Any]:
    """Returns the proxy cache that an organization is, for its members; empty texts if it is none."""
    view = services().mirroring.proxy_caches.get(actor, orgname)
    if view is None:
        return {"upstream_registry": "", "expiration_s": "", "insecure": ""}
    return {
        "upstream_registry": view.upstream,
        "expiration_s": view.expiration_s,
        "insecure": not view.verify_tls,
    }


@operations.post(CACHE, "createProxyCacheConfig", scope=ORG_ADMIN, body=NEW, answers={201: TEXT})
def create(actor: Actor, orgname: str, body: dict[str, Any]) -> Reply:
    """Makes an empty organization a proxy cache: its members pull what another registry has, and nobody pushes."""
    services().mirroring.proxy_caches.create(actor, orgname, requested(body))
    return as_json("Created", 201)


@operations.delete(CACHE, "deleteProxyCacheConfig", scope=ORG_ADMIN, answers={201: TEXT})
def delete(actor: Actor, orgname: str) -> Reply:
    """Makes a proxy cache an ordinary organization: what was fetched stays, and takes pushes."""
    services().mirroring.proxy_caches.delete(actor, orgname)
    return as_json("Deleted", 201)


@operations.post(
    paths.ORGANIZATION + "/validateproxycache",
    "validateProxyCacheConfig",
    scope=ORG_ADMIN,
    body=NEW,
    answers={202: TEXT},
)
def validate(actor: Actor, orgname: str, body: dict[str, Any]) -> Reply:
    """Asks the other registry: `Valid` if it lets the user in, `Anonymous` if it wants one and none is given."""
    is_let_in = services().mirroring.proxy_caches.validate(actor, orgname, requested(body))
    return as_json("Valid" if is_let_in else "Anonymous", 202)


def requested(body: Mapping[str, Any]) -> ProxyCacheSettings:
    """Parses the settings that a request gives. Raises FieldInvalid, MirrorInvalid."""
    reference = parse_upstream(body["upstream_registry"])
    given = {
        f"external_registry_{name}": body[f"upstream_registry_{name}"]
        for name in ("username", "password")
        if f"upstream_registry_{name}" in body
    }
    credentials = parse_credentials(given, is_new=True)
    source = MirrorSource(reference, verify_tls=not body.get("insecure", False), **credentials)
    return ProxyCacheSettings(source, body.get("expiration_s", USUAL_EXPIRATION_S))

"""Search: repositories, and everything with a name."""

from typing import Any

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import REPO_READ
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
from chalicelib.edge.api.framework.shapes import AVATAR, avatar
from chalicelib.services.catalog.search import PAGE, Entity, RepositoryHit
from chalicelib.wiring import services

operations = Operations(__name__, "search")
QUERY = Parameter("query", "string", "What a word of the name begins with; several words must all be found")

NAMED = {"kind": TEXT, "title": TEXT, "name": TEXT, "score": {"type": "number"}, "href": TEXT}
OWNER = an_object({**NAMED, "avatar": AVATAR})
HIT = an_object({**NAMED, "namespace": OWNER, "description": TEXT, "is_public": FLAG}, last_modified=or_null(NUMBER))
ANYTHING = an_object(NAMED, avatar=AVATAR, namespace=OWNER, organization=OWNER)
ENTITY = an_object({"name": TEXT, "kind": TEXT, "avatar": AVATAR}, is_robot=FLAG, is_org_member=FLAG)
PAGED = an_object(
    {
        "results": a_list(HIT),
        "has_additional": FLAG,
        "page": NUMBER,
        "page_size": NUMBER,
        "start_index": NUMBER,
    }
)
# How much each counts beside the others, as in Quay.
SCORES = {"repository": 4.0, "team": 2.0}
# Quay's words for what an entity is.
SHORT: dict[str, str] = {AccountKind.ORGANIZATION: "org"}


@operations.get(
    "/api/v1/find/repositories",
    "conductRepoSearch",
    parameters=(QUERY, Parameter("page", "integer", "Which ten, from 1 to 10")),
    answers={200: PAGED},
)
def find_repositories(actor: Actor) -> dict[str, Any]:
    """Repositories that one may see, ten a page."""
    number = min(max(request.number("page", 1), 1), PAGE)
    page = services().catalog.search.repositories(actor, request.parameter("query") or "", number)
    return {
        "results": [hit_shape(hit) for hit in page.items],
        "has_additional": page.more,
        "page": number,
        "page_size": PAGE,
        "start_index": (number - 1) * PAGE,
    }


@operations.get(
    "/api/v1/find/all",
    "conductSearch",
    scope=REPO_READ,
    parameters=(QUERY,),
    answers={200: an_object({"results": a_list(ANYTHING)})},
)
def find_all(actor: Actor) -> dict[str, Any]:
    """Repositories, people, organizations, and one's own teams and robots."""
    entities, hits = services().catalog.search.everything(actor, request.parameter("query") or "")
    found = [*(hit_shape(hit) for hit in hits), *(named_shape(entity) for entity in entities)]
    return {"results": sorted(found, key=lambda result: -result["score"])}


@operations.get(
    "/api/v1/entities/{prefix}",
    "getMatchingEntities",
    parameters=(
        Parameter("namespace", "string", "Whose robots and teams count too"),
        Parameter("includeTeams", "boolean", "Its teams"),
        Parameter("includeOrgs", "boolean", "The organization itself"),
    ),
    answers={200: an_object({"results": a_list(ENTITY)})},
    errors=(401,),
)
def entities(actor: Actor, prefix: str) -> dict[str, Any]:
    """Whom a permission may be given."""
    found = services().catalog.search.entities(
        actor,
        prefix,
        request.parameter("namespace") or "",
        with_teams=request.flag("includeTeams"),
        with_organizations=request.flag("includeOrgs"),
    )
    return {"results": [entity_shape(entity) for entity in found]}


def hit_shape(hit: RepositoryHit) -> dict[str, Any]:
    """A repository that was found."""
    name = hit.repository.name
    return {
        "kind": "repository",
        "title": "repo",
        "namespace": named_shape(Entity(name.namespace, hit.kind)),
        "name": name.repository,
        "description": hit.description,
        "is_public": hit.is_public,
        "score": SCORES["repository"],
        "href": f"/repository/{name}",
        "last_modified": hit.pushed_at,
    }


def named_shape(entity: Entity) -> dict[str, Any]:
    """Somebody or something that was found."""
    kind = SHORT.get(entity.kind, entity.kind)
    shown = {
        "kind": entity.kind,
        "title": kind,
        "name": entity.name,
        "score": SCORES.get(entity.kind, 1.0),
        "href": _address(entity),
        "avatar": avatar(entity.name, kind),
    }
    if entity.organization:
        shown["organization"] = named_shape(Entity(entity.organization, AccountKind.ORGANIZATION))
    return shown


def _address(entity: Entity) -> str:
    """Where its page is."""
    if entity.kind == AccountKind.ORGANIZATION:
        return f"/organization/{entity.name}"
    if entity.organization:
        return f"/organization/{entity.organization}/teams/{entity.name}"
    if entity.kind == AccountKind.ROBOT:
        return f"/user/{entity.name.partition('+')[0]}?tab=robots&showRobot={entity.name}"
    return f"/user/{entity.name}"


def entity_shape(entity: Entity) -> dict[str, Any]:
    """Whom something may be given, in Quay's words: a robot is a user that is one."""
    is_robot = entity.kind == AccountKind.ROBOT
    kind = "user" if is_robot else SHORT.get(entity.kind, entity.kind)
    shown: dict[str, Any] = {
        "name": entity.name,
        "kind": kind,
        "avatar": avatar(entity.name, "robot" if is_robot else kind),
    }
    if kind == "user":
        shown["is_robot"] = is_robot
    return shown if entity.is_member is None else {**shown, "is_org_member": entity.is_member}

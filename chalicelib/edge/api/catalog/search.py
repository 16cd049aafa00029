"""Search for repositories, accounts and teams by name."""

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
QUERY = Parameter("query", "string", "The beginning of a word of the name; of several words, all must be found")

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
# Scores by kind, as in Quay; every other kind has 1.
SCORES = {"repository": 4.0, "team": 2.0}
# Quay's shorter words for kinds of entities.
SHORT: dict[str, str] = {AccountKind.ORGANIZATION: "org"}


@operations.get(
    "/api/v1/find/repositories",
    "conductRepoSearch",
    parameters=(QUERY, Parameter("page", "integer", "The number of the page, from 1 to 10")),
    answers={200: PAGED},
)
def find_repositories(actor: Actor) -> dict[str, Any]:
    """Finds repositories that the caller may see, ten a page."""
    number = min(max(request.number("page", 1), 1), PAGE)
    page = services().catalog.search.repositories(actor, request.parameter("query") or "", number)
    return {
        "results": [repository_hit_json(hit) for hit in page.items],
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
    """Finds repositories, users, organizations, and the user's own teams and robots."""
    entities, hits = services().catalog.search.everything(actor, request.parameter("query") or "")
    results = [*(repository_hit_json(hit) for hit in hits), *(entity_hit_json(entity) for entity in entities)]
    return {"results": sorted(results, key=lambda result: -result["score"])}


@operations.get(
    "/api/v1/entities/{prefix}",
    "getMatchingEntities",
    parameters=(
        Parameter("namespace", "string", "The namespace whose robots and teams are found, too"),
        Parameter("includeTeams", "boolean", "Whether to find the teams of the namespace"),
        Parameter("includeOrgs", "boolean", "Whether to find organizations"),
    ),
    answers={200: an_object({"results": a_list(ENTITY)})},
    errors=(401,),
)
def entities(actor: Actor, prefix: str) -> dict[str, Any]:
    """Finds users, robots, teams and organizations to which a permission may be given."""
    entities = services().catalog.search.entities(
        actor,
        prefix,
        request.parameter("namespace") or "",
        with_teams=request.flag("includeTeams"),
        with_organizations=request.flag("includeOrgs"),
    )
    return {"results": [entity_json(entity) for entity in entities]}


def repository_hit_json(hit: RepositoryHit) -> dict[str, Any]:
    """Returns a found repository."""
    name = hit.repository.name
    return {
        "kind": "repository",
        "title": "repo",
        "namespace": entity_hit_json(Entity(name.namespace, hit.kind)),
        "name": name.repository,
        "description": hit.description,
        "is_public": hit.is_public,
        "score": SCORES["repository"],
        "href": f"/repository/{name}",
        "last_modified": hit.pushed_at,
    }


def entity_hit_json(entity: Entity) -> dict[str, Any]:
    """Returns a found account or team."""
    kind = SHORT.get(entity.kind, entity.kind)
    document = {
        "kind": entity.kind,
        "title": kind,
        "name": entity.name,
        "score": SCORES.get(entity.kind, 1.0),
        "href": _address(entity),
        "avatar": avatar(entity.name, kind),
    }
    if entity.organization:
        document["organization"] = entity_hit_json(Entity(entity.organization, AccountKind.ORGANIZATION))
    return document


def _address(entity: Entity) -> str:
    """Returns the path of an entity's page in Quay's web interface."""
    if entity.kind == AccountKind.ORGANIZATION:
        return f"/organization/{entity.name}"
    if entity.organization:
        return f"/organization/{entity.organization}/teams/{entity.name}"
    if entity.kind == AccountKind.ROBOT:
        return f"/user/{entity.name.partition('+')[0]}?tab=robots&showRobot={entity.name}"
    return f"/user/{entity.name}"


def entity_json(entity: Entity) -> dict[str, Any]:
    """Returns an entity to which a permission may be given; Quay counts robots as users."""
    is_robot = entity.kind == AccountKind.ROBOT
    kind = "user" if is_robot else SHORT.get(entity.kind, entity.kind)
    document: dict[str, Any] = {
        "name": entity.name,
        "kind": kind,
        "avatar": avatar(entity.name, "robot" if is_robot else kind),
    }
    if kind == "user":
        document["is_robot"] = is_robot
    return document if entity.is_member is None else {**document, "is_org_member": entity.is_member}

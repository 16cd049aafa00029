"""Stars: repositories that a user has marked."""

from typing import Any

from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import USER_ADMIN
from chalicelib.edge import request
from chalicelib.edge.api.framework.operations import FLAG, TEXT, Operations, Parameter, a_list, an_object, text
from chalicelib.edge.api.registry.repositories import repository_name
from chalicelib.edge.response import Reply, as_json
from chalicelib.services.catalog.repository_listing import ListedRepository
from chalicelib.wiring import services

operations = Operations(__name__, "user")
STARRED = "/api/v1/user/starred"
NAMED = an_object({"namespace": text("The namespace of the repository"), "repository": text("Its name")})
STAR = an_object({"namespace": TEXT, "name": TEXT, "description": TEXT, "is_public": FLAG})


@operations.get(
    STARRED,
    "listStarredRepos",
    scope=USER_ADMIN,
    parameters=(Parameter("next_page", "string", "The token from the previous page"),),
    answers={200: an_object({"repositories": a_list(STAR)}, next_page=TEXT)},
)
def list_starred(actor: Actor) -> dict[str, Any]:
    """Lists the repositories that the user has starred, a hundred a page."""
    page = services().catalog.stars.page(actor, request.parameter("next_page"))
    document = {"repositories": [star_json(listed) for listed in page.repositories]}
    return document | ({"next_page": page.following} if page.following else {})


@operations.post(STARRED, "createStar", scope=USER_ADMIN, body=NAMED, answers={201: NAMED})
def add(actor: Actor, body: dict[str, Any]) -> Reply:
    """Stars a repository."""
    name = RepositoryName.within(body["namespace"], body["repository"])
    services().catalog.stars.add(actor, name)
    return as_json({"namespace": name.namespace, "repository": name.repository}, 201)


@operations.delete(STARRED + "/{repository}", "deleteStar", scope=USER_ADMIN, answers={204: None})
def remove(actor: Actor, repository: str) -> None:
    """Removes a star."""
    services().catalog.stars.remove(actor, repository_name(repository))


def star_json(listed: ListedRepository) -> dict[str, Any]:
    """Returns a starred repository."""
    name = listed.repository.name
    details = {"description": listed.description, "is_public": listed.is_public}
    return {"namespace": name.namespace, "name": name.repository, **details}

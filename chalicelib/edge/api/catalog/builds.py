"""Quay's builds, which Cloudberth does not run: every repository has neither builds nor triggers."""

from typing import Any

from chalicelib.domain.errors import ResourceUnknown
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, Role
from chalicelib.domain.scopes import REPO_ADMIN, REPO_READ
from chalicelib.edge.api.framework import paths
from chalicelib.edge.api.framework.operations import Operations, a_list, an_object
from chalicelib.wiring import services

operations = Operations(__name__, "build")


@operations.get(
    paths.REPOSITORY + "/build",
    "getRepoBuilds",
    scope=REPO_READ,
    answers={200: an_object({"builds": a_list(an_object())})},
    slash=True,
)
def list_builds(actor: Actor, repository: str) -> dict[str, Any]:
    """Lists a repository's builds: there are none."""
    services().security.access.require_role(actor, RepositoryName.parse(repository), Role.READ)
    return {"builds": []}


@operations.get(paths.REPOSITORY + "/build/{build_uuid}", "getRepoBuild", scope=REPO_READ, answers={404: None})
def get_build(actor: Actor, repository: str, build_uuid: str) -> None:
    """Answers that the build does not exist."""
    services().security.access.require_role(actor, RepositoryName.parse(repository), Role.READ)
    raise ResourceUnknown("build", build_uuid)


@operations.get(
    paths.REPOSITORY + "/trigger",
    "listBuildTriggers",
    scope=REPO_ADMIN,
    answers={200: an_object({"triggers": a_list(an_object())})},
    slash=True,
)
def list_triggers(actor: Actor, repository: str) -> dict[str, Any]:
    """Lists a repository's build triggers: there are none."""
    services().security.access.require_role(actor, RepositoryName.parse(repository), Role.ADMIN)
    return {"triggers": []}

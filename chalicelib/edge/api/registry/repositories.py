"""Repositories: creates, lists, shows, changes and deletes them."""

from typing import Any

from chalicelib.domain.errors import NameUnknown
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor
from chalicelib.domain.quotas import Quota
from chalicelib.domain.repositories import Mode, Visibility
from chalicelib.domain.scopes import REPO_ADMIN, REPO_CREATE, REPO_READ, REPO_WRITE
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
from chalicelib.edge.api.framework.shapes import date
from chalicelib.edge.response import Reply, as_json
from chalicelib.services.catalog.repository_details import RepositoryView, TagView
from chalicelib.services.catalog.repository_listing import ListedRepository, RepositoryQuery
from chalicelib.services.registry.repositories import NewRepository
from chalicelib.wiring import services

operations = Operations(__name__, "repository")
REPOSITORIES = "/api/v1/repository"
KIND = "image"
# The boolean parameters of a list, in the order of `RepositoryQuery`.
FLAGS = ("public", "starred", "last_modified", "popularity", "quota")

DESCRIPTION = text("The description of the repository, in Markdown")
VISIBILITY = one_of(*(visibility.value for visibility in Visibility))
MODE = one_of(*(mode.value for mode in Mode))
# Only the mirror of an organization makes a repository ORG_MIRROR.
SETTABLE = one_of(*(mode.value for mode in Mode if mode is not Mode.ORG_MIRROR))
NEW = an_object(
    {"repository": text("The name of the repository"), "visibility": VISIBILITY, "description": DESCRIPTION},
    namespace=text("The namespace of the repository: the user's own by default"),
    repo_kind={"enum": [KIND, None]},
)
MADE = an_object({"namespace": TEXT, "name": TEXT, "kind": TEXT})
QUOTA = an_object({"quota_bytes": or_null(NUMBER), "configured_quota": or_null(NUMBER)})
SHARED = {
    **MADE["properties"],
    "description": TEXT,
    "is_public": FLAG,
    "state": MODE,
    "is_starred": FLAG,
    "quota_report": QUOTA,
}
LISTED = an_object(SHARED, last_modified=or_null(NUMBER), popularity={"type": "number"})
LIST = an_object({"repositories": a_list(LISTED)}, next_page=TEXT)
TAG = an_object(
    {"name": TEXT, "size": or_null(NUMBER), "last_modified": TEXT, "manifest_digest": TEXT}, expiration=TEXT
)
SHOWN = an_object(
    {
        **SHARED,
        "is_organization": FLAG,
        "status_token": TEXT,
        "trust_enabled": FLAG,
        "tag_expiration_s": NUMBER,
        "is_free_account": FLAG,
        "can_write": FLAG,
        "can_admin": FLAG,
    },
    tags={"type": "object", "additionalProperties": TAG},
    stats=a_list(an_object({"date": TEXT, "count": NUMBER})),
)
DONE = an_object({"success": FLAG})


def _flag(name: str, about: str) -> Parameter:
    return Parameter(name, "boolean", about)


@operations.post(REPOSITORIES, "createRepo", scope=REPO_CREATE, body=NEW, answers={201: MADE})
def create(actor: Actor, body: dict[str, Any]) -> Reply:
    """Creates a repository."""
    name = RepositoryName.within(body.get("namespace", actor.name), body["repository"])
    services().registry.repositories.create(
        actor, NewRepository(name, Visibility(body["visibility"]), body["description"])
    )
    return as_json({"namespace": name.namespace, "name": name.repository, "kind": KIND}, 201)


@operations.get(
    REPOSITORIES,
    "listRepos",
    scope=REPO_READ,
    parameters=(
        Parameter("namespace", "string", "The namespace of the repositories; the user must have a role on them"),
        _flag("public", "Whether to list public repositories, too"),
        _flag("starred", "Whether to list repositories that the user has starred"),
        _flag("last_modified", "Whether to include the time of the last push, in seconds since the epoch"),
        _flag("popularity", "Whether to include how often each was pulled lately"),
        _flag("quota", "Whether to include the bytes that each links"),
        Parameter("next_page", "string", "The token from the previous page"),
    ),
    answers={200: LIST},
)
def list_repositories(actor: Actor) -> dict[str, Any]:
    """Lists repositories that the caller may see, a hundred a page."""
    query = RepositoryQuery(request.parameter("namespace") or "", *map(request.flag, FLAGS))
    page = services().catalog.repository_listing.page(actor, query, request.parameter("next_page"))
    document = {"repositories": [listed_repository_json(listed, query) for listed in page.repositories]}
    return document | ({"next_page": page.following} if page.following else {})


@operations.get(
    paths.REPOSITORY,
    "getRepo",
    scope=REPO_READ,
    parameters=(
        Parameter("includeTags", "boolean", "Whether to include at most 500 tags: true by default"),
        _flag("includeStats", "Whether to include the number of log records of each of the last days"),
    ),
    answers={200: SHOWN},
)
def get(actor: Actor, repository: str) -> dict[str, Any]:
    """Returns a repository, with its tags unless these are left out."""
    with_tags, with_activity = request.flag("includeTags", default=True), request.flag("includeStats")
    view = services().catalog.repository_details.get(
        actor, repository_name(repository), with_tags=with_tags, with_activity=with_activity
    )
    return repository_json(view)


@operations.put(
    paths.REPOSITORY, "updateRepo", scope=REPO_WRITE, body=an_object({"description": DESCRIPTION}), answers={200: DONE}
)
def describe(actor: Actor, repository: str, body: dict[str, Any]) -> dict[str, Any]:
    """Changes the description of a repository."""
    services().registry.repositories.describe(actor, repository_name(repository), body["description"])
    return {"success": True}


@operations.delete(paths.REPOSITORY, "deleteRepository", scope=REPO_ADMIN, answers={204: None})
def delete(actor: Actor, repository: str) -> None:
    """Deletes a repository; it can be restored within the Time Machine's window."""
    services().registry.repositories.delete(actor, repository_name(repository))


@operations.post(
    paths.REPOSITORY + "/changevisibility",
    "changeRepoVisibility",
    scope=REPO_ADMIN,
    body=an_object({"visibility": VISIBILITY}),
    answers={200: DONE},
)
def change_visibility(actor: Actor, repository: str, body: dict[str, Any]) -> dict[str, Any]:
    """Makes a repository public or private."""
    services().registry.repositories.change_visibility(
        actor, repository_name(repository), Visibility(body["visibility"])
    )
    return {"success": True}


@operations.put(
    paths.REPOSITORY + "/changestate",
    "changeRepoState",
    scope=REPO_ADMIN,
    body=an_object({"state": SETTABLE}),
    answers={200: DONE},
)
def change_state(actor: Actor, repository: str, body: dict[str, Any]) -> dict[str, Any]:
    """Sets whether a repository accepts pushes, is read-only, or accepts only its mirror's."""
    services().registry.repositories.change_mode(actor, repository_name(repository), Mode(body["state"]))
    return {"success": True}


def repository_name(text: str) -> RepositoryName:
    """Parses the name in a path of the API, which must contain a namespace. Raises NameUnknown, NameInvalid."""
    if "/" not in text:
        raise NameUnknown(text[:300])
    return RepositoryName.parse(text)


def listed_repository_json(listed: ListedRepository, query: RepositoryQuery) -> dict[str, Any]:
    """Returns a repository of a list."""
    name = listed.repository.name
    document: dict[str, Any] = {
        "namespace": name.namespace,
        "name": name.repository,
        "description": listed.description,
        "is_public": listed.is_public,
        "kind": KIND,
        "state": listed.mode,
        "is_starred": listed.is_starred,
        "quota_report": _quota_json(listed.bytes, listed.quota),
    }
    if query.last_modified:
        document["last_modified"] = listed.last_modified
    if query.popularity:
        document["popularity"] = listed.popularity
    return document


def repository_json(view: RepositoryView) -> dict[str, Any]:
    """Returns a repository with everything that was asked for."""
    name, row = view.repository_access.repository.name, view.repository_access.row
    document = {
        "namespace": name.namespace,
        "name": name.repository,
        "kind": KIND,
        "description": view.description,
        "is_public": row.is_public,
        "is_organization": view.repository_access.namespace_access.is_organization,
        "is_starred": view.is_starred,
        "status_token": "" if row.is_public else row.status_token or "",
        "trust_enabled": False,
        "tag_expiration_s": view.window_s,
        "is_free_account": True,
        "state": row.mode,
        "can_write": view.can_write,
        "can_admin": view.can_admin,
        "quota_report": _quota_json(view.bytes, view.quota),
    }
    if view.tags is not None:
        document["tags"] = {tag.name: tag_json(tag) for tag in view.tags}
    if view.activity is not None:
        document["stats"] = [{"date": day, "count": count} for day, count in view.activity]
    return document


def tag_json(tag: TagView) -> dict[str, Any]:
    """Returns a tag of a repository."""
    expiration = {} if tag.expires_at is None else {"expiration": date(tag.expires_at)}
    details = {"size": tag.size, "last_modified": date(tag.started_at), "manifest_digest": str(tag.digest)}
    return {"name": tag.name, **details, **expiration}


def _quota_json(used: int | None, quota: Quota | None) -> dict[str, Any]:
    return {"quota_bytes": used, "configured_quota": quota.limit_bytes if quota else None}

"""Repositories: made, listed, shown, changed, deleted."""

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
# What a list is asked for by yes or no, in the order of `Asked`.
FLAGS = ("public", "starred", "last_modified", "popularity", "quota")

DESCRIPTION = text("What people read of it, in Markdown")
VISIBILITY = one_of(*Visibility)
MODE = one_of(*Mode)
NEW = an_object(
    {"repository": text("Its name"), "visibility": VISIBILITY, "description": DESCRIPTION},
    namespace=text("Where it shall be; one's own namespace without it"),
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
    """Makes a repository."""
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
        Parameter("namespace", "string", "Those of a namespace on which one has a role"),
        _flag("public", "What is public too"),
        _flag("starred", "Those that one has starred"),
        _flag("last_modified", "When something was last pushed, in seconds since the epoch"),
        _flag("popularity", "How often it was pulled lately"),
        _flag("quota", "Bytes that it links"),
        Parameter("next_page", "string", "What the page before ended with"),
    ),
    answers={200: LIST},
)
def list_repositories(actor: Actor) -> dict[str, Any]:
    """Repositories that one may see, a hundred a page."""
    asked = RepositoryQuery(request.parameter("namespace") or "", *map(request.flag, FLAGS))
    page = services().catalog.repository_listing.page(actor, asked, request.parameter("next_page"))
    shown = {"repositories": [listed_shape(listed, asked) for listed in page.repositories]}
    return shown | ({"next_page": page.following} if page.following else {})


@operations.get(
    paths.REPOSITORY,
    "getRepo",
    scope=REPO_READ,
    parameters=(
        Parameter("includeTags", "boolean", "Its tags, 500 at most; unless it is false"),
        _flag("includeStats", "How much happened on each of the last days"),
    ),
    answers={200: SHOWN},
)
def get(actor: Actor, repository: str) -> dict[str, Any]:
    """A repository with its tags."""
    with_tags, with_activity = request.flag("includeTags", otherwise=True), request.flag("includeStats")
    found = services().catalog.repository_details.get(
        actor, named(repository), with_tags=with_tags, with_activity=with_activity
    )
    return shape(found)


@operations.put(
    paths.REPOSITORY, "updateRepo", scope=REPO_WRITE, body=an_object({"description": DESCRIPTION}), answers={200: DONE}
)
def describe(actor: Actor, repository: str, body: dict[str, Any]) -> dict[str, Any]:
    """Tells something else of a repository."""
    services().registry.repositories.describe(actor, named(repository), body["description"])
    return {"success": True}


@operations.delete(paths.REPOSITORY, "deleteRepository", scope=REPO_ADMIN, answers={204: None})
def delete(actor: Actor, repository: str) -> None:
    """Deletes a repository; for the Time Machine's window it can be restored."""
    services().registry.repositories.delete(actor, named(repository))


@operations.post(
    paths.REPOSITORY + "/changevisibility",
    "changeRepoVisibility",
    scope=REPO_ADMIN,
    body=an_object({"visibility": VISIBILITY}),
    answers={200: DONE},
)
def change_visibility(actor: Actor, repository: str, body: dict[str, Any]) -> dict[str, Any]:
    """Makes a repository public or private."""
    services().registry.repositories.change_visibility(actor, named(repository), Visibility(body["visibility"]))
    return {"success": True}


@operations.put(
    paths.REPOSITORY + "/changestate",
    "changeRepoState",
    scope=REPO_ADMIN,
    body=an_object({"state": MODE}),
    answers={200: DONE},
)
def change_state(actor: Actor, repository: str, body: dict[str, Any]) -> dict[str, Any]:
    """Lets a repository take pushes, or only reads, or only its mirror."""
    services().registry.repositories.change_mode(actor, named(repository), Mode(body["state"]))
    return {"success": True}


def named(text: str) -> RepositoryName:
    """The name in a path of the API, where a namespace must be said. Raises NameUnknown, NameInvalid."""
    if "/" not in text:
        raise NameUnknown(text[:300])
    return RepositoryName.parse(text)


def listed_shape(listed: ListedRepository, asked: RepositoryQuery) -> dict[str, Any]:
    """A repository in a list."""
    name = listed.repository.name
    shown: dict[str, Any] = {
        "namespace": name.namespace,
        "name": name.repository,
        "description": listed.description,
        "is_public": listed.is_public,
        "kind": KIND,
        "state": listed.mode,
        "is_starred": listed.is_starred,
        "quota_report": _quota(listed.bytes, listed.quota),
    }
    if asked.last_modified:
        shown["last_modified"] = listed.last_modified
    if asked.popularity:
        shown["popularity"] = listed.popularity
    return shown


def shape(found: RepositoryView) -> dict[str, Any]:
    """A repository with all that was asked for."""
    name, row = found.repository_access.repository.name, found.repository_access.row
    shown = {
        "namespace": name.namespace,
        "name": name.repository,
        "kind": KIND,
        "description": row.description,
        "is_public": row.is_public,
        "is_organization": found.repository_access.namespace_access.is_organization,
        "is_starred": found.is_starred,
        "status_token": "" if row.is_public else row.status_token or "",
        "trust_enabled": False,
        "tag_expiration_s": found.window_s,
        "is_free_account": True,
        "state": row.mode,
        "can_write": found.can_write,
        "can_admin": found.can_admin,
        "quota_report": _quota(found.bytes, found.quota),
    }
    if found.tags is not None:
        shown["tags"] = {tag.name: tag_shape(tag) for tag in found.tags}
    if found.activity is not None:
        shown["stats"] = [{"date": day, "count": count} for day, count in found.activity]
    return shown


def tag_shape(tag: TagView) -> dict[str, Any]:
    """A tag beside its repository."""
    ends = {} if tag.expires_at is None else {"expiration": date(tag.expires_at)}
    told = {"size": tag.size, "last_modified": date(tag.started_at), "manifest_digest": str(tag.digest)}
    return {"name": tag.name, **told, **ends}


def _quota(used: int | None, quota: Quota | None) -> dict[str, Any]:
    return {"quota_bytes": used, "configured_quota": quota.limit_bytes if quota else None}

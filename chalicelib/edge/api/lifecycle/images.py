"""Images as older clients know them: by the id from the list of tags, which is the manifest's digest in hex."""

from typing import Any

from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import REPO_READ
from chalicelib.edge import request
from chalicelib.edge.api.framework import paths
from chalicelib.edge.api.framework.operations import (
    ANYTHING,
    FLAG,
    NUMBER,
    TEXT,
    Operations,
    Parameter,
    a_list,
    an_object,
    or_null,
)
from chalicelib.edge.api.framework.shapes import date
from chalicelib.edge.response import Reply, as_json
from chalicelib.services.lifecycle.images import ImageView, ManifestView
from chalicelib.wiring import services

operations = Operations(__name__, "image")

IMAGE = an_object(
    {
        "id": TEXT,
        "created": TEXT,
        "comment": or_null(TEXT),
        "command": ANYTHING,
        "size": NUMBER,
        "uploading": FLAG,
        "sort_index": NUMBER,
        "tags": a_list(TEXT),
        "ancestors": TEXT,
    }
)
LIST = paths.REPOSITORY + "/image"
DEPRECATED = {"Deprecation": "true"}


@operations.get(
    LIST,
    "listRepositoryImages",
    scope=REPO_READ,
    answers={200: an_object({"images": a_list(IMAGE)}, next_page=TEXT)},
    slash=True,
    parameters=(Parameter("next_page", "string", "The token from the previous page"),),
)
def images(actor: Actor, repository: str) -> Reply:
    """Lists images that tags name, the latest first. Deprecated: list tags, and get manifests by their digests."""
    after = request.parameter("next_page") or ""
    page = services().lifecycle.images.page(actor, RepositoryName.parse(repository), after)
    following = {"next_page": page.following} if page.following else {}
    return as_json({"images": [_listed_image_json(one) for one in page.images], **following}, headers=DEPRECATED)


@operations.get(LIST + "/{image_id}", "getImage", scope=REPO_READ, answers={200: IMAGE})
def image(actor: Actor, repository: str, image_id: str) -> Reply:
    """Returns one image. Deprecated: get its manifest by its digest."""
    view = services().lifecycle.images.by_id(actor, RepositoryName.parse(repository), image_id)
    return as_json(image_json(view), headers=DEPRECATED)


def _listed_image_json(one: ImageView) -> dict[str, Any]:
    """Returns an image of a list, which knows only its tags and leaves the other fields empty."""
    return {
        "id": one.digest.hex,
        "created": date(one.started_at),
        "comment": "",
        "command": "",
        "size": 0,
        "uploading": False,
        "sort_index": 0,
        "tags": list(one.tags),
        "ancestors": "",
    }


def image_json(view: ManifestView) -> dict[str, Any]:
    """Returns an image with the command and the comment of its last layer."""
    last = view.image.layers[-1] if view.image.layers else None
    created_at = view.row.pushed_at if view.image.created_at is None else view.image.created_at
    return {
        "id": view.manifest.digest.hex,
        "created": date(created_at),
        "comment": (last.comment if last else None) or "",
        "command": [last.command] if last and last.command else [],
        "size": view.manifest.layers_size or 0,
        "uploading": False,
        "sort_index": 0,
        "tags": list(view.tags),
        "ancestors": "/",
    }

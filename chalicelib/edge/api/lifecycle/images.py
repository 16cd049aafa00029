"""Images as clients of old know them: by the id that the list of tags gives, which is the manifest's digest in hex."""

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
    parameters=(Parameter("next_page", "string", "Where the page before ended"),),
)
def images(actor: Actor, repository: str) -> Reply:
    """Images that tags name, the latest first. Deprecated: ask for tags, and for manifests by their digests."""
    after = request.parameter("next_page") or ""
    found = services().lifecycle.images.page(actor, RepositoryName.parse(repository), after)
    following = {"next_page": found.following} if found.following else {}
    return as_json({"images": [_tagged(one) for one in found.images], **following}, headers=DEPRECATED)


@operations.get(LIST + "/{image_id}", "getImage", scope=REPO_READ, answers={200: IMAGE})
def image(actor: Actor, repository: str, image_id: str) -> Reply:
    """One image. Deprecated: ask for its manifest by its digest."""
    shown = services().lifecycle.images.by_id(actor, RepositoryName.parse(repository), image_id)
    return as_json(shape(shown), headers=DEPRECATED)


def _tagged(one: ImageView) -> dict[str, Any]:
    """In a list nothing is told but what tags say."""
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


def shape(shown: ManifestView) -> dict[str, Any]:
    """An image as its last step made it."""
    last = shown.image.layers[-1] if shown.image.layers else None
    created_at = shown.row.pushed_at if shown.image.created_at is None else shown.image.created_at
    return {
        "id": shown.manifest.digest.hex,
        "created": date(created_at),
        "comment": (last.comment if last else None) or "",
        "command": [last.command] if last and last.command else [],
        "size": shown.manifest.layers_size or 0,
        "uploading": False,
        "sort_index": 0,
        "tags": list(shown.tags),
        "ancestors": "/",
    }

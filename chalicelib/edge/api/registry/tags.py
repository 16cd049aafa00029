"""Tags and their history: lists, changes, deletes and restores them."""

from typing import Any

from chalicelib.domain import media_types
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import FieldInvalid, ParameterInvalid
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import REPO_READ, REPO_WRITE
from chalicelib.domain.tag_changes import TagUpdate
from chalicelib.domain.tags import TagFilter
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
    or_null,
    text,
)
from chalicelib.edge.api.framework.shapes import date
from chalicelib.edge.response import Reply, as_json
from chalicelib.services.lifecycle.tag_history import TagHistoryQuery, TagLife
from chalicelib.wiring import services

operations = Operations(__name__, "tag")

TAG = an_object(
    {
        "name": TEXT,
        "reversion": FLAG,
        "immutable": FLAG,
        "start_ts": NUMBER,
        "manifest_digest": TEXT,
        "is_manifest_list": FLAG,
        "size": or_null(NUMBER),
        "last_modified": TEXT,
    },
    end_ts=NUMBER,
    expiration=TEXT,
    expiration_warning=TEXT,
    image_id=TEXT,
    docker_image_id=TEXT,
    is_sparse=FLAG,
    child_manifest_count=NUMBER,
    present_child_count=NUMBER,
    child_manifests_presence={"type": "object", "additionalProperties": FLAG},
)
TAGS = an_object({"tags": a_list(TAG), "page": NUMBER, "has_additional": FLAG}, next_page=TEXT)
CHANGE = an_object(
    manifest_digest=or_null(text("The digest of the manifest that the tag shall name")),
    expiration=or_null(
        {"type": "number", "description": "The tag's expiration in seconds since the epoch; null for none"}
    ),
    immutable={**FLAG, "description": "Whether the tag is immutable"},
)
RESTORE = an_object(manifest_digest=text("The digest of the manifest that the tag shall name again"))
EXPIRE = an_object(
    {"manifest_digest": text("The digest of the manifest that the Time Machine shall forget")},
    is_alive={**FLAG, "description": "Whether the tag still names the manifest"},
    include_submanifests=FLAG,
)
LARGEST_PAGE = 100
# The tag is immutable, or the tags of the repository cannot change now.
FROZEN = (409, 503)
LIMIT = "Limit to the number of results to return per page. Max 100."


@operations.get(
    paths.REPOSITORY + "/tag",
    "listRepoTags",
    scope=REPO_READ,
    answers={200: TAGS},
    slash=True,
    parameters=(
        Parameter("specificTag", "string", "The name of the only tag to list, with its history"),
        Parameter("onlyActiveTags", "boolean", "Whether to list only live tags: without it, deleted ones too"),
        Parameter("filter_tag_name", "string", "`like:` and a part of the name, or `eq:` and the whole name"),
        Parameter("limit", "integer", LIMIT),
        Parameter(
            "page",
            "integer",
            "The number of the page, from 1, among the newest 4,000 entries; `next_page` goes further",
        ),
        Parameter("next_page", "string", "The token from the previous page, which counts before `page`"),
    ),
)
def list_tags(actor: Actor, repository: str) -> dict[str, Any]:
    """Lists tags, the latest first, with their history unless only active tags are asked for."""
    limit = min(max(_whole_number("limit", 50, LIMIT), 1), LARGEST_PAGE)
    page = max(_whole_number("page", 1, "Page index for the results. Default 1."), 1)
    name_filter, following = request.parameter("filter_tag_name"), request.parameter("next_page") or ""
    query = TagHistoryQuery(
        limit,
        0 if following else (page - 1) * limit,
        following,
        request.parameter("specificTag") or "",
        TagFilter.parse(name_filter) if name_filter else None,
        request.flag("onlyActiveTags"),
    )
    history = services().lifecycle.tag_history.page(actor, RepositoryName.parse(repository), query)
    document = {
        "tags": [tag_json(life) for life in history.lives],
        "page": page,
        "has_additional": history.following is not None,
    }
    return document | ({"next_page": history.following} if history.following else {})


@operations.put(paths.TAG, "changeTag", scope=REPO_WRITE, body=CHANGE, answers={201: TEXT}, errors=FROZEN)
def change(actor: Actor, repository: str, tag: str, body: dict[str, Any]) -> Reply:
    """Changes the expiration, the immutability or the manifest of a tag; fields that are left out stay."""
    name, end, digest = RepositoryName.parse(repository), body.get("expiration"), body.get("manifest_digest")
    update = TagUpdate(
        sets_end="expiration" in body,
        expires_at=None if end is None else int(end),
        immutable=body.get("immutable"),
        digest=None if digest is None else Digest.existing(digest),
    )
    services().registry.tags.update(actor, name, Tag.parse(tag), update)
    return as_json("Updated", 201)


@operations.delete(paths.TAG, "deleteFullTag", scope=REPO_WRITE, answers={204: None}, errors=FROZEN)
def delete(actor: Actor, repository: str, tag: str) -> None:
    """Deletes a tag; it can be restored within the Time Machine's window."""
    services().registry.tags.delete(actor, RepositoryName.parse(repository), Tag.existing(tag))


@operations.post(
    paths.TAG + "/restore", "restoreTag", scope=REPO_WRITE, body=RESTORE, answers={200: an_object()}, errors=FROZEN
)
def restore(actor: Actor, repository: str, tag: str, body: dict[str, Any]) -> dict[str, Any]:
    """Points a tag to a manifest that the Time Machine keeps."""
    if not body.get("manifest_digest"):
        raise FieldInvalid("", "Missing manifest_digest")
    name, digest = RepositoryName.parse(repository), Digest.existing(body["manifest_digest"])
    services().registry.tags.restore(actor, name, Tag.parse(tag), digest)
    return {}


@operations.post(
    paths.TAG + "/expire", "removeTagFromTimemachine", scope=REPO_WRITE, body=EXPIRE, answers={200: TEXT}, errors=FROZEN
)
def expire(actor: Actor, repository: str, tag: str, body: dict[str, Any]) -> Reply:
    """Removes a tag's manifest from the Time Machine."""
    is_alive = body.get("is_alive", False)
    name, digest = RepositoryName.parse(repository), Digest.existing(body["manifest_digest"], "tag")
    services().registry.tags.forget(actor, name, Tag.existing(tag), digest, is_alive=is_alive)
    return as_json("")


def _whole_number(name: str, default: int, message: str) -> int:
    value = request.parameter(name)
    if value is None:
        return default
    try:
        return int(value)
    except ValueError:
        raise ParameterInvalid(name, message) from None


def tag_json(life: TagLife) -> dict[str, Any]:
    """Returns one entry of a tag's history. Quay's older clients get scans by `image_id`."""
    document: dict[str, Any] = {
        "name": life.name,
        "reversion": life.is_reversion,
        "immutable": life.is_immutable,
        "start_ts": life.started_at,
        "manifest_digest": str(life.digest),
        "is_manifest_list": life.media_type in media_types.INDEXES,
        "size": life.layers_size,
        "last_modified": date(life.started_at),
        "image_id": life.digest.hex,
        "docker_image_id": life.digest.hex,
    }
    if life.ended_at is not None:
        document |= {"end_ts": life.ended_at, "expiration": date(life.ended_at)}
    if life.warning:
        document["expiration_warning"] = life.warning
    if life.children is not None:
        presence = {str(digest): is_kept for digest, is_kept in life.children.items()}
        document |= {
            "is_sparse": not all(presence.values()),
            "child_manifest_count": len(presence),
            "present_child_count": sum(presence.values()),
            "child_manifests_presence": presence,
        }
    return document

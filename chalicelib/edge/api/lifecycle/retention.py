"""Retention: when a tag ends and what that frees, and previews of auto-prune policies."""

from typing import Any

from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import REPO_READ
from chalicelib.edge import request
from chalicelib.edge.api.framework import paths, policy_routes
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
)
from chalicelib.edge.api.framework.shapes import date
from chalicelib.edge.api.lifecycle import autoprune
from chalicelib.services.lifecycle.policies import PolicyHolder, PolicyRequest
from chalicelib.services.lifecycle.reclaimable import ReclaimableManifest
from chalicelib.services.lifecycle.retention import DELETION, EXPIRATION, POLICY, PrunePreview, TagRetention
from chalicelib.wiring import services

operations = Operations(__name__, "retention")

PRUNER = an_object({**autoprune.POLICY["properties"], "level": one_of("namespace", "repository")}, prunes_at=NUMBER)
MANIFEST = an_object({"digest": TEXT, "size": NUMBER})
BLOB = an_object({"digest": TEXT, "size": NUMBER, "shared": FLAG})
RETENTION = an_object(
    {
        "name": TEXT,
        "manifest_digest": TEXT,
        "immutable": FLAG,
        "expires_at": or_null(NUMBER),
        "ends_at": or_null(NUMBER),
        "cause": {"enum": [EXPIRATION, POLICY, DELETION, None]},
        "time_machine_s": NUMBER,
        "freed_at": or_null(NUMBER),
        "bytes": NUMBER,
        "is_whole": FLAG,
        "manifests": a_list(MANIFEST),
        "blobs": a_list(BLOB),
        "policies": a_list(PRUNER),
    },
    next_page=TEXT,
)
TAG = an_object(
    {"repository": TEXT, "name": TEXT, "manifest_digest": TEXT, "start_ts": NUMBER, "size": or_null(NUMBER)},
    last_modified=TEXT,
)
PREVIEW = an_object(
    {
        "tags": a_list(TAG),
        "bytes": NUMBER,
        "manifests": NUMBER,
        "blobs": NUMBER,
        "is_whole": FLAG,
        "time_machine_s": NUMBER,
    },
    next_page=TEXT,
)
PAGE = Parameter("next_page", "string", "The token from the previous page")
PREVIEW_PARAMETERS = (
    Parameter("method", "string", "number_of_tags or creation_date", required=True),
    Parameter("value", "string", "How many tags stay, or their largest age, as in 7d, 12h or 2w", required=True),
    Parameter("tagPattern", "string", "A regular expression (RE2) that matches the tags to prune"),
    Parameter("tagPatternMatches", "boolean", "False to select the tags that the pattern does not match"),
    PAGE,
)


@operations.get(
    paths.TAG + "/retention",
    "getTagRetention",
    scope=REPO_READ,
    parameters=(PAGE,),
    answers={200: RETENTION},
)
def of_tag(actor: Actor, repository: str, tag: str) -> dict[str, Any]:
    """Returns when a tag ends, by its expiration or by a policy, and what that will free.

    For a tag that does not end, it returns what its deletion would free now; for one in the Time Machine, when it ended
    and until when it can be restored (`freed_at`). Only administrators see the policies.
    """
    after = request.parameter("next_page") or ""
    name = RepositoryName.parse(repository)
    return retention_json(services().lifecycle.retention.of(actor, name, Tag.existing(tag), after))


def _declare_preview(place: policy_routes.PolicyRoutes, word: str) -> None:
    @operations.get(
        place.path + autoprune.PATH + "/preview",
        f"preview{word}AutoPrunePolicy",
        scope=place.scope,
        parameters=PREVIEW_PARAMETERS,
        answers={200: PREVIEW},
        about=f"Lists the tags of {place.reach} that a policy would prune now, and the bytes that this frees at least.",
    )
    def preview(actor: Actor, **parameters: str) -> dict[str, Any]:
        return _preview(actor, place.holder(**parameters))


for _place, _word in autoprune.PLACES:
    _declare_preview(_place, _word)


def _preview(actor: Actor, holder: PolicyHolder) -> dict[str, Any]:
    value = request.parameter("value") or ""
    policy = PolicyRequest(
        request.parameter("tagPattern"),
        request.flag("tagPatternMatches", True),
        request.parameter("method") or "",
        int(value) if value.isascii() and value.isdigit() and len(value) < autoprune.LONGEST_NUMBER else value,
    )
    return _preview_json(
        services().lifecycle.retention.preview(actor, holder, policy, request.parameter("next_page") or "")
    )


def retention_json(retention: TagRetention) -> dict[str, Any]:
    """Returns the retention of a tag."""
    tag, reclaimable = retention.tag, retention.reclaimable
    document: dict[str, Any] = {
        "name": tag.name,
        "manifest_digest": str(tag.digest),
        "immutable": bool(tag.immutable),
        "expires_at": retention.expires_at,
        "ends_at": retention.ends_at,
        "cause": retention.cause,
        "time_machine_s": retention.window_s,
        "freed_at": None if retention.ends_at is None else retention.ends_at + retention.window_s,
        "bytes": reclaimable.bytes,
        "is_whole": reclaimable.is_whole,
        "manifests": [_reclaimable_json(one) for one in reclaimable.manifests],
        "blobs": [{**_reclaimable_json(one), "shared": one.is_shared} for one in reclaimable.blobs],
        "policies": [
            {
                **autoprune.policy_json(one.policy),
                "level": "namespace" if one.is_namespace else "repository",
                **({} if one.prunes_at is None else {"prunes_at": one.prunes_at}),
            }
            for one in retention.pruners
        ],
    }
    return document | ({"next_page": reclaimable.following} if reclaimable.following else {})


def _reclaimable_json(one: ReclaimableManifest) -> dict[str, Any]:
    return {"digest": str(one.digest), "size": one.size}


def _preview_json(preview: PrunePreview) -> dict[str, Any]:
    document: dict[str, Any] = {
        "tags": [
            {
                "repository": str(repository.name),
                "name": row.name,
                "manifest_digest": str(row.digest),
                "start_ts": row.started_at,
                "last_modified": date(row.started_at),
                "size": row.layers_size,
            }
            for repository, row in preview.tags
        ],
        "bytes": sum(one.bytes for one in preview.reclaimable),
        "manifests": sum(len(one.manifests) for one in preview.reclaimable),
        "blobs": sum(len(one.blobs) for one in preview.reclaimable),
        "is_whole": all(one.is_whole and one.following is None for one in preview.reclaimable),
        "time_machine_s": preview.window_s,
    }
    return document | ({"next_page": preview.following} if preview.following else {})

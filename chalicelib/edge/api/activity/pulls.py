"""Pulls, counted, of a tag and of a manifest."""

from typing import Any

from chalicelib.domain.digests import Digest
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import REPO_READ
from chalicelib.edge.api.framework import paths
from chalicelib.edge.api.framework.operations import NUMBER, TEXT, Operations, an_object, or_null
from chalicelib.edge.api.framework.shapes import date
from chalicelib.wiring import services

operations = Operations(__name__, "pull")

MANIFEST = {"manifest_pull_count": NUMBER, "last_manifest_pull_date": or_null(TEXT)}
OF_TAG = an_object(
    {
        "tag_name": TEXT,
        "tag_pull_count": NUMBER,
        "last_tag_pull_date": or_null(TEXT),
        "current_manifest_digest": TEXT,
        **MANIFEST,
    }
)
OF_MANIFEST = an_object({"manifest_digest": TEXT, **MANIFEST})


@operations.get(paths.TAG + "/pull_statistics", "getTagPullStatistics", scope=REPO_READ, answers={200: OF_TAG})
def of_tag(actor: Actor, repository: str, tag: str) -> dict[str, Any]:
    """How often a tag was pulled, and the manifest that it names, and when last.

    It needs a role on the repository, be it public or not. Where pulls are recorded once an hour, they count once.
    """
    found = services().activity.pulls.of_tag(actor, RepositoryName.parse(repository), Tag.existing(tag))
    return {
        "tag_name": tag,
        "tag_pull_count": found.of_tag.pulls,
        "last_tag_pull_date": date(found.of_tag.last_at),
        "current_manifest_digest": str(found.digest),
        "manifest_pull_count": found.of_manifest.pulls,
        "last_manifest_pull_date": date(found.of_manifest.last_at),
    }


@operations.get(
    paths.MANIFEST + "/pull_statistics", "getManifestPullStatistics", scope=REPO_READ, answers={200: OF_MANIFEST}
)
def of_manifest(actor: Actor, repository: str, digest: str) -> dict[str, Any]:
    """How often a manifest was pulled, by whatever tag or by its digest, and when last. It needs such a role, too."""
    found = services().activity.pulls.of_manifest(actor, RepositoryName.parse(repository), Digest.existing(digest))
    return {
        "manifest_digest": digest,
        "manifest_pull_count": found.pulls,
        "last_manifest_pull_date": date(found.last_at),
    }

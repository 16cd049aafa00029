"""`/v2/<name>/referrers/<digest>`: lists referrers."""

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib.domain import media_types
from chalicelib.domain.digests import Digest
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import TO_PULL
from chalicelib.edge import request
from chalicelib.edge.registry.challenges import operation
from chalicelib.edge.response import Headers, Reply, as_json, next_link
from chalicelib.wiring import services

if TYPE_CHECKING:
    from chalicelib.services.registry.referrers import Referrer

blueprint = Blueprint(__name__)


@operation(blueprint, "GET", "/v2/{repository}/referrers/{digest}", TO_PULL)
def list_referrers(repository: str, digest: str) -> Reply:
    """Lists the referrers of a manifest as an OCI index.

    https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
    """
    name, subject, last = RepositoryName.parse(repository), Digest.parse(digest), request.parameter("last")
    artifact_type = request.parameter("artifactType")
    page = services().registry.referrers.list(
        request.actor(), name, subject, artifact_type, Digest.parse(last) if last else None
    )
    headers: Headers = {"Content-Type": media_types.OCI_INDEX}
    if artifact_type:
        headers["OCI-Filters-Applied"] = "artifactType"
    if page.more:
        filters = {"artifactType": artifact_type} if artifact_type else {}
        headers |= next_link(f"/v2/{repository}/referrers/{digest}", {**filters, "last": str(page.items[-1].digest)})
    index = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [_descriptor(referrer) for referrer in page.items],
    }
    return as_json(index, headers=headers)


def _descriptor(referrer: "Referrer") -> dict[str, object]:
    descriptor: dict[str, object] = {
        "mediaType": referrer.media_type,
        "digest": str(referrer.digest),
        "size": referrer.size,
    }
    if referrer.artifact_type:
        descriptor["artifactType"] = referrer.artifact_type
    if referrer.annotations:
        descriptor["annotations"] = dict(referrer.annotations)
    return descriptor

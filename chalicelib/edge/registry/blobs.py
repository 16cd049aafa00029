"""`/v2/<name>/blobs/<digest>`: pulls and deletes blobs."""

import time

from chalice.app import Blueprint

from chalicelib.domain.digests import Digest
from chalicelib.domain.downloads import Download
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import TO_DELETE, TO_FIND_BLOB, TO_PULL
from chalicelib.edge import request
from chalicelib.edge.registry.challenges import operation
from chalicelib.edge.response import Reply, empty
from chalicelib.services.registry.blobs import BlobLocation
from chalicelib.wiring import services

blueprint = Blueprint(__name__)
PATH = "/v2/{repository}/blobs/{digest}"


@operation(blueprint, "GET", PATH, TO_PULL)
@operation(blueprint, "HEAD", PATH, TO_FIND_BLOB)
def pull(repository: str, digest: str) -> Reply:
    """Redirects to the bytes of a blob.

    https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-blobs
    """
    method = request.request().method
    location = services().registry.blobs.find(
        request.actor(), RepositoryName.parse(repository), Digest.parse(digest), promise=method == "HEAD"
    )
    headers = {"Location": _address(location, method), "Docker-Content-Digest": str(location.digest)}
    return empty(307, headers | {"Cache-Control": "no-store"})


def _address(location: BlobLocation, method: str) -> str:
    """Returns a URL of the download edge, which sends the digest as a header, or of S3, presigned for this method."""
    container = services()
    if container.settings.downloads == "edge":
        download = Download.until(location.digest, location.s3_key, time.time(), container.settings.presign_s)
        return container.settings.url + download.path(container.stores.secrets.upload[0])
    operation = "head_object" if method == "HEAD" else "get_object"
    return container.stores.objects.address(operation, location.s3_key, container.settings.presign_s)


@operation(blueprint, "DELETE", PATH, TO_DELETE)
def delete(repository: str, digest: str) -> Reply:
    """Deletes a blob from a repository.

    https://github.com/opencontainers/distribution-spec/blob/main/spec.md#deleting-blobs
    """
    services().registry.blobs.delete(request.actor(), RepositoryName.parse(repository), Digest.parse(digest))
    return empty(202, {})

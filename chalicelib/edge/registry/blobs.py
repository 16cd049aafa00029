"""`/v2/<name>/blobs/<digest>`: pulls and deletes blobs."""

import time

from chalice.app import Blueprint

from chalicelib.domain import browsers
from chalicelib.domain.digests import Digest
from chalicelib.domain.downloads import Download
from chalicelib.domain.errors import BlobUnknown, NameUnknown
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import TO_DELETE, TO_FIND_BLOB, TO_PULL, Actor
from chalicelib.edge import request
from chalicelib.edge.registry.challenges import operation
from chalicelib.edge.response import Reply, empty
from chalicelib.services.registry.blobs import BlobLocation
from chalicelib.wiring import services

blueprint = Blueprint(__name__)
PATH = "/v2/{repository}/blobs/{digest}"
# The parameter that says how often a client has waited for a blob of a proxy cache.
WAITS = "waits"


@operation(blueprint, "GET", PATH, TO_PULL)
@operation(blueprint, "HEAD", PATH, TO_FIND_BLOB)
def pull(repository: str, digest: str) -> Reply:
    """Redirects to the bytes of a blob.

    https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-blobs
    """
    method, actor, name = request.request().method, request.actor(), RepositoryName.parse(repository)
    parsed = Digest.parse(digest)
    try:
        location = services().registry.blobs.find(actor, name, parsed, promise=method == "HEAD")
    except (BlobUnknown, NameUnknown):
        if not services().security.access.is_cached(actor, name):
            raise
        return _pull_cached(actor, name, parsed, method)
    return _redirect(_address(location, method), parsed)


def _pull_cached(actor: Actor, name: RepositoryName, digest: Digest, method: str) -> Reply:
    """Sends a blob of a proxy cache that is not here, or redirects to it, or to this address again."""
    waits = request.number(WAITS, 0)
    found = services().mirroring.cached_blobs.find(actor, name, digest, waits, is_head=method == "HEAD")
    if found.content is not None:
        headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": str(digest)}
        return Reply(found.content, {**browsers.CONTENT, **headers})
    if found.location is not None:
        return _redirect(_address(found.location, method), digest)
    return _redirect(found.address or f"/v2/{name}/blobs/{digest}?{WAITS}={waits + 1}", digest)


def _redirect(address: str, digest: Digest) -> Reply:
    return empty(307, {"Location": address, "Docker-Content-Digest": str(digest), "Cache-Control": "no-store"})


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

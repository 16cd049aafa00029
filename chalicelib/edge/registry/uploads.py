"""`/v2/<name>/blobs/uploads/…`: uploads of blobs."""

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib.domain.digests import Digest, parse_algorithm
from chalicelib.domain.errors import BlobUploadInvalid, NameInvalid, SizeInvalid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import TO_PUSH
from chalicelib.domain.uploads import LARGEST_BODY, Chunk, UploadBody
from chalicelib.edge import request
from chalicelib.edge.registry.challenges import operation
from chalicelib.edge.response import Headers, Reply, empty
from chalicelib.wiring import services

if TYPE_CHECKING:
    from chalicelib.services.registry.uploads import UploadProgress

blueprint = Blueprint(__name__)
PATH = "/v2/{repository}/blobs/uploads/{upload}"


@operation(blueprint, "POST", "/v2/{repository}/blobs/uploads", TO_PUSH)
def begin(repository: str) -> Reply:
    """Begins an upload, pushes a whole blob, or mounts one from another repository.

    https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs
    """
    name, actor = RepositoryName.parse(repository), request.actor()
    if digest := request.parameter("digest"):
        parsed = Digest.parse(digest)
        _check_length()
        services().registry.uploads.push(actor, name, parsed, request.body())
        return created(repository, parsed)
    algorithm = parse_algorithm(request.parameter("digest-algorithm") or "sha256")
    if mount := request.parameter("mount"):
        parsed = Digest.parse(mount)
        algorithm = parsed.algorithm
        if services().registry.blobs.mount_into(actor, name, parsed, _source()):
            return created(repository, parsed)
    progress = services().registry.uploads.begin(actor, name, algorithm, creates=not mount)
    return _accepted(repository, progress, 202, {"OCI-Chunk-Min-Length": str(LARGEST_BODY)})


def _source() -> RepositoryName | None:
    """Returns the repository to mount from; an invalid name counts as a repository that does not exist."""
    text = request.parameter("from")
    try:
        return RepositoryName.parse(text) if text else None
    except NameInvalid:
        return RepositoryName("", "")


@operation(blueprint, "PATCH", PATH, TO_PUSH)
def append(repository: str, upload: str) -> Reply:
    """Appends a chunk to an upload.

    https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-a-blob-in-chunks
    """
    _check_length()
    name, actor = RepositoryName.parse(repository), request.actor()
    progress = services().registry.uploads.append(actor, name, upload, UploadBody(request.body(), _chunk()))
    return _accepted(repository, progress, 202)


@operation(blueprint, "PUT", PATH, TO_PUSH)
def close(repository: str, upload: str) -> Reply:
    """Closes an upload, with or without a last chunk."""
    name, actor = RepositoryName.parse(repository), request.actor()
    text = request.parameter("digest")
    if not text:
        raise BlobUploadInvalid("close the upload with ?digest=ALGORITHM:HEX of the whole blob")
    digest = Digest.parse(text)
    _check_length()
    services().registry.uploads.close(actor, name, upload, digest, UploadBody(request.body(), _chunk()))
    return created(repository, digest)


@operation(blueprint, "GET", PATH, TO_PUSH)
def status(repository: str, upload: str) -> Reply:
    """Returns the progress of an upload."""
    progress = services().registry.uploads.status(request.actor(), RepositoryName.parse(repository), upload)
    return _accepted(repository, progress, 204)


@operation(blueprint, "DELETE", PATH, TO_PUSH)
def cancel(repository: str, upload: str) -> Reply:
    """Cancels an upload."""
    services().registry.uploads.cancel(request.actor(), RepositoryName.parse(repository), upload)
    return empty(204, {})


def _chunk() -> Chunk | None:
    text = request.header("content-range")
    return Chunk.parse(text) if text else None


def _check_length() -> None:
    """Raises SizeInvalid for a body shorter than its header says: a gateway may forward part of a broken request."""
    declared = request.header("content-length")
    if declared.isdigit() and int(declared[:20]) != len(request.body()):
        raise SizeInvalid(int(declared[:20]), len(request.body()))


def _accepted(repository: str, progress: "UploadProgress", status: int, extra: Headers | None = None) -> Reply:
    headers: Headers = {
        "Location": f"/v2/{repository}/blobs/uploads/{progress.token}",
        "Range": f"0-{max(progress.offset - 1, 0)}",
        "Docker-Upload-UUID": progress.upload_id,
    }
    return empty(status, headers | (extra or {}))


def created(repository: str, digest: Digest) -> Reply:
    """Returns the reply 201 with the location of a blob."""
    return empty(201, {"Location": f"/v2/{repository}/blobs/{digest}", "Docker-Content-Digest": str(digest)})

"""`/v2/<name>/blobs/uploads/…`: blobs on their way in."""

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib.domain.digests import Digest, parse_algorithm
from chalicelib.domain.errors import BlobUploadInvalid, NameInvalid, SizeInvalid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.uploads import LARGEST_BODY, Chunk, UploadBody
from chalicelib.edge import request
from chalicelib.edge.response import Headers, Reply, empty
from chalicelib.wiring import services

if TYPE_CHECKING:
    from chalicelib.services.registry.uploads import UploadProgress

blueprint = Blueprint(__name__)
PATH = "/v2/{repository}/blobs/uploads/{upload}"


@blueprint.route("/v2/{repository}/blobs/uploads", methods=["POST"])
def begin(repository: str) -> Reply:
    """https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs"""
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
        target = services().registry.repositories.for_push(actor, name)
        if services().registry.blobs.mount(actor, target, parsed, _source()):
            return created(repository, parsed)
    progress = services().registry.uploads.begin(actor, name, algorithm)
    return _accepted(repository, progress, 202, {"OCI-Chunk-Min-Length": str(LARGEST_BODY)})


def _source() -> RepositoryName | None:
    """The repository to mount from; one that cannot be a name is one that is not there."""
    text = request.parameter("from")
    try:
        return RepositoryName.parse(text) if text else None
    except NameInvalid:
        return RepositoryName("", "")


@blueprint.route(PATH, methods=["PATCH"])
def append(repository: str, upload: str) -> Reply:
    """https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-a-blob-in-chunks"""
    _check_length()
    name, actor = RepositoryName.parse(repository), request.actor()
    progress = services().registry.uploads.append(actor, name, upload, UploadBody(request.body(), _chunk()))
    return _accepted(repository, progress, 202)


@blueprint.route(PATH, methods=["PUT"])
def close(repository: str, upload: str) -> Reply:
    """Ends an upload, with or without last bytes."""
    name, actor = RepositoryName.parse(repository), request.actor()
    text = request.parameter("digest")
    if not text:
        raise BlobUploadInvalid("say ?digest=ALGORITHM:HEX of the whole blob to end the upload")
    digest = Digest.parse(text)
    _check_length()
    services().registry.uploads.close(actor, name, upload, digest, UploadBody(request.body(), _chunk()))
    return created(repository, digest)


@blueprint.route(PATH, methods=["GET"])
def status(repository: str, upload: str) -> Reply:
    """How far an upload is."""
    progress = services().registry.uploads.status(request.actor(), RepositoryName.parse(repository), upload)
    return _accepted(repository, progress, 204)


@blueprint.route(PATH, methods=["DELETE"])
def cancel(repository: str, upload: str) -> Reply:
    """Gives an upload up."""
    services().registry.uploads.cancel(request.actor(), RepositoryName.parse(repository), upload)
    return empty(204, {})


def _chunk() -> Chunk | None:
    text = request.header("content-range")
    return Chunk.parse(text) if text else None


def _check_length() -> None:
    """Refuses a body that is not as long as its header says: a gateway may hand on what it got of a cut request."""
    declared = request.header("content-length")
    if declared.isdigit() and int(declared[:20]) != len(request.body()):
        raise SizeInvalid(int(declared[:20]), len(request.body()))


def _accepted(repository: str, progress: "UploadProgress", status: int, more: Headers | None = None) -> Reply:
    headers: Headers = {
        "Location": f"/v2/{repository}/blobs/uploads/{progress.token}",
        "Range": f"0-{max(progress.offset - 1, 0)}",
        "Docker-Upload-UUID": progress.upload_id,
    }
    return empty(status, headers | (more or {}))


def created(repository: str, digest: Digest) -> Reply:
    """That a blob is there, and where."""
    return empty(201, {"Location": f"/v2/{repository}/blobs/{digest}", "Docker-Content-Digest": str(digest)})

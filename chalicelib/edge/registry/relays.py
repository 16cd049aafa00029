"""`/v2/<name>/blobs/uploads/<upload>/presigned`, `/parts` and `/complete`: bytes that go straight to S3.

The installation's own relay signs path and body, gets presigned addresses and reports what it hashed; only its first
request for a body needs the pusher's token too. Anyone else who may push gets addresses, and the bytes are proven here.
"""

import base64
import hashlib
import hmac
import json
from typing import Any

from chalice.app import Blueprint

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobUploadInvalid, Denied
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import PUSH, Actor
from chalicelib.edge import request
from chalicelib.edge.registry.uploads import PATH, created
from chalicelib.edge.response import Reply, as_json
from chalicelib.wiring import services

blueprint = Blueprint(__name__)


@blueprint.route(PATH + "/presigned", methods=["POST"])
def presign(repository: str, upload: str) -> Reply:
    """Addresses for the next parts: `{"first": number or 0, "count": number}`."""
    if not request.header("relay-signature"):
        return _presign_pusher(repository, upload)
    asked = _said(repository)
    first = int(asked["first"])
    told = (
        services().registry.relays.presign(upload, first, int(asked["count"]))
        if first
        else _first(repository, upload, asked)
    )
    return as_json(told)


def _first(repository: str, upload: str, asked: dict[str, Any]) -> dict[str, object]:
    """Presigns the first parts of a body with the pusher's right; later requests need the relay's signature alone."""
    name, actor = RepositoryName.parse(repository), request.actor()
    services().security.access.granted(actor, name, PUSH)
    return _lasting(services().registry.relays.presign(upload, 0, int(asked["count"])), actor, name)


def _lasting(told: dict[str, object], actor: Actor, name: RepositoryName) -> dict[str, object]:
    """Adds a token that can close the upload: by then the pusher's own may have expired."""
    container = services()
    return told | {"bearer": container.identity.tokens.prolong(actor, name, container.settings.presigned_upload_s)}


def _presign_pusher(repository: str, upload: str) -> Reply:
    """Presigns for `{"digest", "size", "first"}`: one address, or those of parts."""
    from chalicelib.services.registry.presigned_uploads import BlobSize

    asked, name = _json(), RepositoryName.parse(repository)
    digest, size = Digest.parse(str(asked.get("digest"))), _number(asked, "size")
    first = _number(asked, "first", 1)
    actor = request.actor()
    presigned = services().registry.presigned_uploads.presign(actor, name, upload, BlobSize(digest, size), first)
    return as_json(_lasting(presigned, actor, name))


@blueprint.route(PATH + "/complete", methods=["POST"])
def complete(repository: str, upload: str) -> Reply:
    """`{"digest", "size", "parts": [[number, etag], …]}`: 201 when the blob is visible, 202 while it is hashed."""
    from chalicelib.services.registry.presigned_uploads import BlobSize

    said, name = _json(), RepositoryName.parse(repository)
    digest, size = Digest.parse(str(said.get("digest"))), _number(said, "size")
    try:
        parts = [(int(number), str(etag)) for number, etag in said.get("parts") or []]
    except (TypeError, ValueError, OverflowError):
        raise BlobUploadInvalid("parts is a list of [number, ETag]") from None
    blob = BlobSize(digest, size)
    hashed = services().registry.presigned_uploads.complete(request.actor(), name, upload, blob, parts)
    if hashed is None:
        return created(repository, digest)
    return as_json({"hashed": hashed}, 202, {"Retry-After": "1"})


def _number(said: dict[str, Any], name: str, default: int | None = None) -> int:
    value = said.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BlobUploadInvalid(f"{name} is a whole number")
    return value


@blueprint.route(PATH + "/parts", methods=["POST"])
def store(repository: str, upload: str) -> Reply:
    """What was put: `{"before", "after", "state", "parts": [[number, etag, size]], "tail": [key, size] or null}`."""
    from chalicelib.services.registry.relays import PartsReport, UploadedPart

    said = _said(repository)
    parts = [UploadedPart(int(number), str(etag), int(size)) for number, etag, size in said["parts"]]
    tail = (str(said["tail"][0]), int(said["tail"][1])) if said["tail"] else None
    state = base64.b64decode(said["state"])
    report = PartsReport(int(said["before"]), int(said["after"]), state, parts, tail)
    progress = services().registry.relays.store(upload, report)
    location = f"/v2/{repository}/blobs/uploads/{progress.token}"
    return as_json({"location": location, "offset": progress.offset, "upload": progress.upload_id})


def _said(repository: str) -> dict[str, Any]:
    """The relay's words, if it was the relay that said them. Raises Denied, BlobUploadInvalid."""
    path = request.request().context["path"].encode()
    expected = hmac.new(services().stores.secrets.relay, path + b"\n" + request.body(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), request.header("relay-signature").encode("utf-8", "replace")):
        raise Denied(repository, "relay uploads into")
    return _json()


def _json() -> dict[str, Any]:
    try:
        said = json.loads(request.body())
    except (ValueError, RecursionError) as error:
        raise BlobUploadInvalid(f"not JSON: {error}") from error
    if not isinstance(said, dict):
        raise BlobUploadInvalid("not a JSON object")
    return said

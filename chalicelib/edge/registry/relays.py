"""`/v2/<name>/blobs/uploads/<upload>/presigned`, `/parts` and `/complete`: bytes that clients put into S3 directly.

The installation's own relay signs path and body, gets presigned URLs of parts and reports what it hashed; only its
first request for a body needs the pusher's token beside the signature. Any other client that may push gets presigned
URLs, too, and its bytes are verified here.
"""

import base64
import hashlib
import hmac
import json
from typing import Any

from chalice.app import Blueprint

from chalicelib.domain.credentials import UploadRight
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobUploadInvalid, Denied
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.nesting import DEEPEST, is_too_deep
from chalicelib.domain.permissions import TO_PUSH, Actor
from chalicelib.edge import request
from chalicelib.edge.registry.challenges import operation
from chalicelib.edge.registry.uploads import PATH, created
from chalicelib.edge.response import Reply, as_json
from chalicelib.wiring import services

blueprint = Blueprint(__name__)


@operation(blueprint, "POST", PATH + "/presigned", TO_PUSH)
def presign_parts(repository: str, upload: str) -> Reply:
    """Returns presigned URLs of the next parts for `{"first": number or 0, "count": number}`."""
    if not request.header("relay-signature"):
        return _presign_for_pusher(repository, upload)
    body = _signed_body(repository)
    first = int(body["first"])
    urls = (
        services().registry.relays.presign(upload, first, int(body["count"]))
        if first
        else _presign_first(repository, upload, body)
    )
    return as_json(urls)


def _presign_first(repository: str, upload: str, body: dict[str, Any]) -> dict[str, object]:
    """Presigns the first parts of a body with the pusher's right; later ones need the relay's signature alone."""
    name, actor = RepositoryName.parse(repository), request.actor()
    urls = services().registry.relays.presign_first(actor, name, upload, int(body["count"]))
    return urls | {"bearer": _bearer(actor, name, upload)}


def _bearer(actor: Actor, name: RepositoryName, upload: str, digest: str = "") -> str:
    """Returns a token that ends this upload, and nothing else: the pusher's own may have expired by then."""
    container = services()
    right = UploadRight(container.security.upload_tokens.verify(upload).upload_id, digest)
    return container.identity.tokens.prolong(actor, name, right, container.settings.presigned_upload_s)


def _presign_for_pusher(repository: str, upload: str) -> Reply:
    """Returns one presigned URL, or those of parts, for `{"digest", "size", "first"}`."""
    from chalicelib.services.registry.presigned_uploads import BlobSize

    body, name = _json_body(), RepositoryName.parse(repository)
    digest, size = Digest.parse(str(body.get("digest"))), _whole_number(body, "size")
    first = _whole_number(body, "first", 1)
    actor = request.actor()
    presigned = services().registry.presigned_uploads.presign(actor, name, upload, BlobSize(digest, size), first)
    return as_json(presigned | {"bearer": _bearer(actor, name, upload, str(digest))})


@operation(blueprint, "POST", PATH + "/complete", TO_PUSH)
def complete(repository: str, upload: str) -> Reply:
    """Completes an upload into S3: 201 if the blob is visible, 202 with the bytes hashed so far while it is verified.

    The body is `{"digest", "size", "parts": [[number, etag], …]}`.
    """
    from chalicelib.services.registry.presigned_uploads import BlobSize

    body, name = _json_body(), RepositoryName.parse(repository)
    digest, size = Digest.parse(str(body.get("digest"))), _whole_number(body, "size")
    try:
        parts = [(int(number), str(etag)) for number, etag in body.get("parts") or []]
    except (TypeError, ValueError, OverflowError):
        raise BlobUploadInvalid("parts must be a list of [number, ETag]") from None
    hashed = services().registry.presigned_uploads.complete(
        request.actor(), name, upload, BlobSize(digest, size), parts
    )
    if hashed is None:
        return created(repository, digest)
    return as_json({"hashed": hashed}, 202, {"Retry-After": "1"})


def _whole_number(body: dict[str, Any], name: str, default: int | None = None) -> int:
    value = body.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BlobUploadInvalid(f"{name} must be a whole number")
    return value


@blueprint.route(PATH + "/parts", methods=["POST"])
def store(repository: str, upload: str) -> Reply:
    """Records the parts that the relay has put into S3.

    The body is `{"before", "after", "state", "parts": [[number, etag, size]], "tail": [key, size] or null}`.
    """
    from chalicelib.services.registry.relays import PartsReport, UploadedPart

    body = _signed_body(repository)
    parts = [UploadedPart(int(number), str(etag), int(size)) for number, etag, size in body["parts"]]
    tail = (str(body["tail"][0]), int(body["tail"][1])) if body["tail"] else None
    state = base64.b64decode(body["state"])
    report = PartsReport(int(body["before"]), int(body["after"]), state, parts, tail)
    progress = services().registry.relays.store(upload, report)
    location = f"/v2/{repository}/blobs/uploads/{progress.token}"
    return as_json({"location": location, "offset": progress.offset, "upload": progress.upload_id})


def _signed_body(repository: str) -> dict[str, Any]:
    """Returns the body of a request that the relay signed. Raises Denied, BlobUploadInvalid."""
    path = request.request().context["path"].encode()
    expected = hmac.new(services().stores.secrets.relay, path + b"\n" + request.body(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), request.header("relay-signature").encode("utf-8", "replace")):
        raise Denied(repository, "relay uploads into")
    return _json_body()


def _json_body() -> dict[str, Any]:
    try:
        body = json.loads(request.body())
    except (ValueError, RecursionError) as error:
        raise BlobUploadInvalid(f"not JSON: {error}") from error
    if is_too_deep(body):
        raise BlobUploadInvalid(f"nested too deeply: send JSON of at most {DEEPEST} levels")
    if not isinstance(body, dict):
        raise BlobUploadInvalid("not a JSON object")
    return body

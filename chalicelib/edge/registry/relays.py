"""`/v2/<name>/blobs/uploads/<upload>/grants` and `/parts`: what the installation's own relay is granted, and reports.

Both need the relay's signature over the path and the body: what anyone else says it hashed is no proof. The first grant
of a body needs the pusher's token beside it.
"""

import base64
import hashlib
import hmac
import json
from typing import Any

from chalice.app import Blueprint

from chalicelib.domain.errors import BlobUploadInvalid, Denied
from chalicelib.domain.names import RepositoryName
from chalicelib.edge import asking
from chalicelib.edge.registry.uploads import PATH
from chalicelib.edge.reply import Reply, as_json
from chalicelib.services.relays import Stored
from chalicelib.wiring import services

blueprint = Blueprint(__name__)


@blueprint.route(PATH + "/grants", methods=["POST"])
def grant(repository: str, upload: str) -> Reply:
    """Addresses for the next parts: `{"first": number or 0, "count": number}`."""
    asked = _said(repository)
    first = int(asked["first"])
    if first == 0:
        services().access.granted(asking.actor(), RepositoryName.parse(repository), "push")
    return as_json(services().relays.grant(upload, first, int(asked["count"])))


@blueprint.route(PATH + "/parts", methods=["POST"])
def store(repository: str, upload: str) -> Reply:
    """What was put: `{"before", "after", "state", "parts": [[number, etag, size]], "tail": [key, size] or null}`."""
    said = _said(repository)
    parts = [Stored(int(number), str(etag), int(size)) for number, etag, size in said["parts"]]
    tail = (str(said["tail"][0]), int(said["tail"][1])) if said["tail"] else None
    progress = services().relays.store(
        upload,
        int(said["before"]),
        int(said["after"]),
        base64.b64decode(said["state"]),
        parts,
        tail,
    )
    location = f"/v2/{repository}/blobs/uploads/{progress.token}"
    return as_json({"location": location, "offset": progress.offset, "upload": progress.upload_id})


def _said(repository: str) -> dict[str, Any]:
    """The relay's words, if it was the relay that said them. Raises Denied, BlobUploadInvalid."""
    path = asking.request().context["path"].encode()
    expected = hmac.new(services().secrets.relay, path + b"\n" + asking.body(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, asking.header("relay-signature")):
        raise Denied(repository, "relay uploads into")
    try:
        said: dict[str, Any] = json.loads(asking.body())
    except ValueError as error:
        raise BlobUploadInvalid(f"not JSON: {error}") from error
    return said

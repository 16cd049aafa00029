"""`GET /v2/`: the check of the API's version and of a token."""

from chalice.app import Blueprint

from chalicelib.domain.errors import Unauthenticated
from chalicelib.edge import request
from chalicelib.edge.response import Reply, as_json
from chalicelib.settings import settings

blueprint = Blueprint(__name__)


@blueprint.route("/v2", methods=["GET", "HEAD"])
def check() -> Reply:
    """Confirms that this is a registry, and that the token is valid.

    https://github.com/opencontainers/distribution-spec/blob/main/spec.md#determining-support
    """
    if not request.header("authorization"):
        raise Unauthenticated
    request.actor()
    # Quay's name, by which clients that copy some architectures only learn whether they may.
    sparse = {"X-Sparse-Manifest-Support": "true" if settings().sparse_index else "false"}
    return as_json({}, headers={"Docker-Distribution-API-Version": "registry/2.0", **sparse})

"""`/v2/_catalog`: lists repositories as Docker's registry does."""

from chalice.app import Blueprint

from chalicelib.domain.errors import Unauthenticated
from chalicelib.domain.pages import parse_page_size
from chalicelib.domain.permissions import TO_LIST_REPOSITORIES
from chalicelib.edge import request
from chalicelib.edge.registry.challenges import operation
from chalicelib.edge.response import Reply, as_json, next_link
from chalicelib.wiring import services

blueprint = Blueprint(__name__)


@operation(blueprint, "GET", "/v2/_catalog", TO_LIST_REPOSITORIES)
def list_repositories() -> Reply:
    """Lists the repositories that the caller may pull.

    https://distribution.github.io/distribution/spec/api/#listing-repositories
    """
    if not request.header("authorization"):
        raise Unauthenticated
    size = parse_page_size(request.parameter("n"))
    page = services().catalog.repository_listing.catalog(request.actor(), request.parameter("last") or "", size)
    link = next_link("/v2/_catalog", {"last": page.items[-1], "n": size}) if page.more else {}
    return as_json({"repositories": list(page.items)}, headers=link)

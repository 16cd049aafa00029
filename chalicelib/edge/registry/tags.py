"""`/v2/<name>/tags/list`: lists tags."""

from chalice.app import Blueprint

from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.pages import parse_page_size
from chalicelib.domain.permissions import TO_PULL
from chalicelib.edge import request
from chalicelib.edge.registry.challenges import operation
from chalicelib.edge.response import Reply, as_json, next_link
from chalicelib.wiring import services

blueprint = Blueprint(__name__)


@operation(blueprint, "GET", "/v2/{repository}/tags/list", TO_PULL)
def list_tags(repository: str) -> Reply:
    """Lists the tags of a repository.

    https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags
    """
    size = parse_page_size(request.parameter("n"))
    name = RepositoryName.parse(repository)
    last = request.parameter("last")
    page = services().registry.tags.list(request.actor(), name, Tag.parse(last) if last else None, size)
    path = f"/v2/{repository}/tags/list"
    link = next_link(path, {"last": page.items[-1], "n": size}) if page.more else {}
    return as_json({"name": repository, "tags": list(page.items)}, headers=link)

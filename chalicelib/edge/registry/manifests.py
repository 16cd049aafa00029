"""`/v2/<name>/manifests/<reference>`: pulls, pushes and deletes manifests and tags."""

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib.domain import browsers
from chalicelib.domain.digests import Digest
from chalicelib.domain.manifests import check_digest, parse_pushed
from chalicelib.domain.names import RepositoryName, Tag, parse_reference
from chalicelib.domain.permissions import TO_DELETE, TO_PULL, TO_PUSH, Actor
from chalicelib.edge import request
from chalicelib.edge.registry.challenges import operation
from chalicelib.edge.response import Headers, Reply, empty
from chalicelib.services.registry.manifests import Manifests, Pulled
from chalicelib.wiring import services

if TYPE_CHECKING:
    from chalicelib.services.mirroring.cached_manifests import CachedManifests

blueprint = Blueprint(__name__)
PATH = "/v2/{repository}/manifests/{reference}"


@operation(blueprint, "GET", PATH, TO_PULL)
def pull(repository: str, reference: str) -> Reply:
    """Returns a manifest, or 304 if the client has it.

    https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
    """
    name, actor = RepositoryName.parse(repository), request.actor()
    manifests = _manifests(actor, name)
    pulled = manifests.pull(actor, name, parse_reference(reference))
    headers = _headers(pulled)
    if _is_held(pulled):
        return _not_modified(pulled)
    return Reply(manifests.body(actor, name, pulled), headers)


@operation(blueprint, "HEAD", PATH, TO_PULL)
def head(repository: str, reference: str) -> Reply:
    """Returns a manifest's headers, or 304 if the client has it.

    The body has the manifest's size: every gateway drops it on HEAD, and one that counts it sends the right length.
    """
    name, actor = RepositoryName.parse(repository), request.actor()
    pulled = _manifests(actor, name).find(actor, name, parse_reference(reference))
    if _is_held(pulled):
        return _not_modified(pulled)
    return Reply(" " * pulled.size, _headers(pulled) | {"Content-Length": str(pulled.size)})


@operation(blueprint, "PUT", PATH, TO_PUSH)
def push(repository: str, reference: str) -> Reply:
    """Pushes a manifest, and tags it.

    https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests
    """
    name, parsed = RepositoryName.parse(repository), parse_reference(reference)
    actor = request.actor()
    tags = [Tag.parse(tag) for tag in request.parameters("tag")]
    algorithm = parsed.algorithm if isinstance(parsed, Digest) else "sha256"
    services().security.access.granted(actor, name, TO_PUSH)
    manifest = parse_pushed(request.body(), request.header("content-type"), algorithm)
    if isinstance(parsed, Digest):
        check_digest(manifest, parsed)
    all_tags = tags if isinstance(parsed, Digest) else [parsed, *tags]
    may_be_sparse = services().settings.sparse_index
    warning = services().registry.manifests.push(actor, name, manifest, all_tags, may_be_sparse=may_be_sparse)
    headers: Headers = {
        "Location": f"/v2/{repository}/manifests/{manifest.digest}",
        "Docker-Content-Digest": str(manifest.digest),
    }
    if manifest.subject:
        headers["OCI-Subject"] = str(manifest.subject)
    if warning:
        # https://github.com/opencontainers/distribution-spec/blob/main/spec.md#warnings
        headers["Warning"] = f'299 - "{warning}"'
    if tags:
        headers["OCI-Tag"] = list(dict.fromkeys(tags))
    return empty(201, headers)


@operation(blueprint, "DELETE", PATH, TO_DELETE)
def delete(repository: str, reference: str) -> Reply:
    """Deletes a tag, or a manifest with all its tags.

    https://github.com/opencontainers/distribution-spec/blob/main/spec.md#content-management
    """
    name, parsed, actor = RepositoryName.parse(repository), parse_reference(reference), request.actor()
    if isinstance(parsed, Digest):
        services().registry.manifests.delete(actor, name, parsed)
    else:
        services().registry.tags.delete_granted(actor, name, parsed)
    return empty(202, {})


def _manifests(actor: Actor, name: RepositoryName) -> "Manifests | CachedManifests":
    """Returns what serves the manifests of a repository: a proxy cache fetches those that are not here."""
    container = services()
    is_cached = container.security.access.is_cached(actor, name)
    return container.mirroring.cached_manifests if is_cached else container.registry.manifests


def _is_held(pulled: Pulled) -> bool:
    """Whether the client says that it has this manifest, or any (RFC 9110 section 13.1.2): a list of ETags or `*`."""
    held = [entry.strip().removeprefix("W/").strip('"') for entry in request.header("if-none-match").split(",")]
    return str(pulled.digest) in held or "*" in held


def _not_modified(pulled: Pulled) -> Reply:
    return empty(304, {"Etag": f'"{pulled.digest}"', "Docker-Content-Digest": str(pulled.digest)})


def _headers(pulled: Pulled) -> Headers:
    return {
        **browsers.CONTENT,
        "Content-Type": pulled.media_type,
        "Docker-Content-Digest": str(pulled.digest),
        "Etag": f'"{pulled.digest}"',
    }

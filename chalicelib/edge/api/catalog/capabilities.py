"""Capabilities of the registry, derived from its routes."""

from typing import Any

from chalicelib.domain.mirrors import ARCHITECTURES
from chalicelib.edge.api.framework import declared, paths
from chalicelib.edge.api.framework.operations import FLAG, TEXT, Operations, a_list, an_object
from chalicelib.settings import settings

operations = Operations(__name__, "capabilities")
NAMED = "/api/v1/repository/{namespace}/{reponame}"
# Quay's name of a capability, the kind and the template of its address, and the route that serves the address.
ADDRESSES = (
    ("io.quay.view-image", "url-template", "/{namespace}/{reponame}:{tag}", "/{namespace}/{reponame}"),
    (
        "io.quay.image-security",
        "rest-api-template",
        NAMED + "/image/{imageid}/security",
        paths.REPOSITORY + "/image/{imageid}/security",
    ),
    (
        "io.quay.manifest-security",
        "rest-api-template",
        NAMED + "/manifest/{digest}/security",
        paths.REPOSITORY + "/manifest/{manifestref}/security",
    ),
)
DEPRECATED = ("io.quay.image-security",)
SPARSE = an_object({"supported": FLAG, "required_architectures": a_list(TEXT), "optional_architectures_allowed": FLAG})


@operations.get(
    "/api/v1/registry/capabilities",
    "getRegistryCapabilities",
    answers={200: an_object({"sparse_manifests": SPARSE, "mirror_architectures": a_list(TEXT)})},
)
def registry() -> dict[str, Any]:
    """Returns whether indexes may lack manifests, and which architectures mirrors may choose."""
    is_on = settings().sparse_index
    sparse = {"supported": is_on, "required_architectures": [], "optional_architectures_allowed": is_on}
    return {"sparse_manifests": sparse, "mirror_architectures": list(ARCHITECTURES)}


@operations.get(
    "/.well-known/app-capabilities",
    "getAppCapabilities",
    answers={200: an_object({"appName": TEXT, "capabilities": an_object()})},
    is_internal=True,
)
def application() -> dict[str, Any]:
    """Returns the URL templates by which programs find details of an image; only those that this registry serves."""
    routed, url = declared.paths(), settings().url
    templates: dict[str, dict[str, Any]] = {
        name: {kind: url + address} | ({"deprecated": True} if name in DEPRECATED else {})
        for name, kind, address, route in ADDRESSES
        if declared.unnamed(route) in routed
    }
    return {"appName": "io.quay", "capabilities": templates}

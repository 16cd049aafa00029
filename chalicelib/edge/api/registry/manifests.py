"""Manifests, including those that only the Time Machine keeps, and their labels."""

from typing import Any

from chalicelib.domain.digests import Digest
from chalicelib.domain.images import Layer
from chalicelib.domain.labels import LONGEST_KEY, LONGEST_VALUE, MEDIA_TYPES, Label, NewLabel
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import REPO_READ, REPO_WRITE
from chalicelib.edge import request
from chalicelib.edge.api.framework import paths
from chalicelib.edge.api.framework.operations import (
    FLAG,
    NUMBER,
    TEXT,
    Operations,
    Parameter,
    a_list,
    an_object,
    or_null,
    text,
)
from chalicelib.edge.api.framework.shapes import date
from chalicelib.edge.response import Reply, as_json
from chalicelib.services.lifecycle.images import ManifestView
from chalicelib.wiring import services

operations = Operations(__name__, "manifest")

LAYER = an_object(
    {
        "index": NUMBER,
        "compressed_size": NUMBER,
        "is_remote": FLAG,
        "urls": or_null(a_list(TEXT)),
        "command": or_null(a_list(TEXT)),
        "comment": or_null(TEXT),
        "author": or_null(TEXT),
        "blob_digest": TEXT,
        "created_datetime": or_null(TEXT),
    }
)
MANIFEST = an_object(
    {
        "digest": TEXT,
        "is_manifest_list": FLAG,
        "manifest_data": TEXT,
        "config_media_type": or_null(TEXT),
        "layers": or_null(a_list(LAYER)),
        "layers_compressed_size": or_null(NUMBER),
    }
)
LABEL = an_object({"id": TEXT, "key": TEXT, "value": TEXT, "source_type": TEXT, "media_type": TEXT})
ADD = an_object(
    {
        "key": text(f"Up to {LONGEST_KEY} of a-z and 0-9, with single `-` and `.` between them"),
        "value": text(f"Up to {LONGEST_VALUE} characters"),
        "media_type": {"enum": [*MEDIA_TYPES, None], "description": "The type of the value; null to detect it"},
    }
)
LABELS = paths.MANIFEST + "/labels"


@operations.get(paths.MANIFEST, "getRepoManifest", scope=REPO_READ, answers={200: MANIFEST})
def get(actor: Actor, repository: str, digest: str) -> dict[str, Any]:
    """Returns a manifest and the layers of its image."""
    name = RepositoryName.parse(repository)
    return manifest_json(services().lifecycle.images.get(actor, name, Digest.existing(digest)))


@operations.get(
    LABELS,
    "listManifestLabels",
    scope=REPO_READ,
    parameters=(Parameter("filter", "string", "The beginning of a label's key"),),
    answers={200: an_object({"labels": a_list(LABEL)})},
)
def labels(actor: Actor, repository: str, digest: str) -> dict[str, Any]:
    """Lists the labels of a manifest: those of the image, then those that were added."""
    prefix = request.parameter("filter") or ""
    labels = services().lifecycle.labels.all(actor, RepositoryName.parse(repository), Digest.existing(digest), prefix)
    return {"labels": [_label_json(label) for label in labels]}


@operations.post(
    LABELS,
    "addManifestLabel",
    scope=REPO_WRITE,
    body=ADD,
    answers={201: an_object({"label": LABEL})},
    errors=(409, 503),
)
def add(actor: Actor, repository: str, digest: str, body: dict[str, Any]) -> Reply:
    """Adds a label to a manifest.

    `quay.expires-after` sets the expiration of each tag of the manifest, also of later ones, to the tag's start plus
    that duration.
    """
    name = RepositoryName.parse(repository)
    label = services().lifecycle.labels.add(
        actor, name, Digest.existing(digest), NewLabel(body["key"], body["value"], body["media_type"])
    )
    location = LABELS.format(repository=name, digest=digest) + f"/{label.id}"
    return as_json({"label": _label_json(label)}, 201, {"Location": location})


@operations.get(LABELS + "/{labelid}", "getManifestLabel", scope=REPO_READ, answers={200: LABEL})
def label(actor: Actor, repository: str, digest: str, labelid: str) -> dict[str, Any]:
    """Returns one label of a manifest."""
    name = RepositoryName.parse(repository)
    return _label_json(services().lifecycle.labels.get(actor, name, Digest.existing(digest), labelid))


@operations.delete(LABELS + "/{labelid}", "deleteManifestLabel", scope=REPO_WRITE, answers={204: None}, errors=(503,))
def delete(actor: Actor, repository: str, digest: str, labelid: str) -> None:
    """Removes an added label; expirations that it set stay."""
    services().lifecycle.labels.delete(actor, RepositoryName.parse(repository), Digest.existing(digest), labelid)


def manifest_json(view: ManifestView) -> dict[str, Any]:
    """Returns a manifest with its layers; an index has none."""
    config = view.manifest.config
    layers = [_layer_json(number, layer) for number, layer in enumerate(view.image.layers)]
    return {
        "digest": str(view.manifest.digest),
        "is_manifest_list": view.is_index,
        "manifest_data": view.manifest.content.decode(),
        "config_media_type": config.media_type if config else None,
        "layers": None if view.is_index else layers,
        "layers_compressed_size": view.manifest.layers_size,
    }


def _layer_json(number: int, layer: Layer) -> dict[str, Any]:
    return {
        "index": number,
        "compressed_size": layer.size,
        "is_remote": layer.is_remote,
        "urls": list(layer.urls) or None,
        "command": None if layer.command is None else [layer.command],
        "comment": layer.comment,
        "author": layer.author,
        "blob_digest": layer.digest,
        "created_datetime": date(layer.created_at),
    }


def _label_json(label: Label) -> dict[str, str]:
    return {
        "id": label.id,
        "key": label.key,
        "value": label.value,
        "source_type": label.source,
        "media_type": label.media_type,
    }

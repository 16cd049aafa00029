"""Images: how one was built, according to its manifest and config. Neither is assumed to be well-formed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.domain import media_types
from chalicelib.domain.expiry_labels import moment
from chalicelib.domain.manifests import SURROGATE
from chalicelib.domain.tags import FOREVER

# The digest that build tools write for a layer that changes no file. Its 32 bytes need not be in the registry.
EMPTY_LAYER = "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4"


@dataclass(frozen=True, slots=True)
class Layer:
    """A build step of an image; `size` is in bytes as stored, 0 if the step changed no file.

    `created_at` is in seconds since the epoch; None stands for what is missing. `urls` are the sources of a
    non-distributable layer.
    """

    digest: str
    size: int
    urls: tuple[str, ...] = ()
    is_remote: bool = False
    command: str | None = None
    comment: str | None = None
    author: str | None = None
    created_at: int | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """An image: its layers from first to last, its creation in seconds since the epoch, and its config's labels."""

    layers: tuple[Layer, ...] = ()
    created_at: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


def read_image(content: bytes, config: bytes | None) -> Image:
    """Reads an image from an accepted manifest and its config; an unreadable config counts as none."""
    descriptors = _objects(json.loads(content).get("layers"))
    document = _config(config)
    history = _objects(document.get("history"))
    if sum(not step.get("empty_layer") for step in history) != len(descriptors):
        # The history is missing or does not belong to these layers.
        history = [{} for _ in descriptors]
    layers = iter(descriptors)
    steps = tuple(_layer({} if step.get("empty_layer") else next(layers), step) for step in history)
    return Image(steps, _moment(document.get("created")), _labels(document))


def _config(config: bytes | None) -> dict[str, Any]:
    try:
        document = json.loads(config) if config else {}
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _layer(descriptor: Mapping[str, Any], step: Mapping[str, Any]) -> Layer:
    urls = descriptor.get("urls")
    return Layer(
        descriptor.get("digest", EMPTY_LAYER),
        descriptor.get("size", 0),
        tuple(text for url in urls if (text := _text(url))) if isinstance(urls, list) else (),
        media_types.is_foreign(descriptor.get("mediaType", "")),
        _text(step.get("created_by")),
        _text(step.get("comment")),
        _text(step.get("author")),
        _moment(step.get("created")),
    )


def _labels(config: Mapping[str, Any]) -> dict[str, str]:
    for holder in ("config", "container_config"):
        settings = config.get(holder)
        labels = settings.get("Labels") if isinstance(settings, dict) else None
        if isinstance(labels, dict):
            texts = ((_text(key), _text(value)) for key, value in labels.items())
            return {key: value for key, value in texts if key and value is not None}
    return {}


def _objects(listed: object) -> list[dict[str, Any]]:
    return [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []


def _text(value: object) -> str | None:
    """Returns a text that UTF-8 can encode; None if the value is no text."""
    return SURROGATE.sub("\ufffd", value) if isinstance(value, str) else None


def _moment(text: object) -> int | None:
    """Returns seconds since the epoch; None before it (the year 1 stands for no date) and after the year 9999."""
    second = moment(text)
    return second if second is not None and 0 <= second <= FOREVER else None

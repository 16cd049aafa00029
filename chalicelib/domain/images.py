"""Images: what a manifest and its config say of how one was made. Neither is believed to be well-formed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.domain import media_types
from chalicelib.domain.expiry_labels import moment
from chalicelib.domain.manifests import SURROGATE
from chalicelib.domain.tags import FOREVER

# The layer that changes no file, as tools of all kinds write it: 32 bytes, which no image here has to keep.
EMPTY_LAYER = "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4"


@dataclass(frozen=True, slots=True)
class Layer:
    """One step of how an image was made; `size` is in bytes as stored, 0 where it changed no file.

    `created_at` is in seconds since the epoch; None for what is not said. `urls` are where the bytes of a layer lie
    that no registry is asked to keep.
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
    """An image: its layers from the first to the last, when it was made, and its config's labels."""

    layers: tuple[Layer, ...] = ()
    created_at: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


def read_image(content: bytes, config: bytes | None) -> Image:
    """What an accepted manifest and its config say; without a config that can be read, what the manifest does."""
    described = _objects(json.loads(content).get("layers"))
    told = _config(config)
    history = _objects(told.get("history"))
    if sum(not step.get("empty_layer") for step in history) != len(described):
        # Somebody else's history, or none.
        history = [{} for _ in described]
    layers = iter(described)
    steps = tuple(_layer({} if step.get("empty_layer") else next(layers), step) for step in history)
    return Image(steps, _moment(told.get("created")), _labels(told))


def _config(config: bytes | None) -> dict[str, Any]:
    try:
        document = json.loads(config) if config else {}
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _layer(described: Mapping[str, Any], step: Mapping[str, Any]) -> Layer:
    urls = described.get("urls")
    return Layer(
        described.get("digest", EMPTY_LAYER),
        described.get("size", 0),
        tuple(text for url in urls if (text := _text(url))) if isinstance(urls, list) else (),
        media_types.is_foreign(described.get("mediaType", "")),
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
    """A text that UTF-8 can hold; None for what is none."""
    return SURROGATE.sub("\ufffd", value) if isinstance(value, str) else None


def _moment(text: object) -> int | None:
    """Seconds since the epoch; None for what lies before it, as the year 1 that stands for none, or past all dates."""
    found = moment(text)
    return found if found is not None and 0 <= found <= FOREVER else None

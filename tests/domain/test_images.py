"""How an image was built, according to its manifest and config."""

import json
from typing import Any

import pytest

from chalicelib.domain.images import EMPTY_LAYER, Image, read_image

FIRST, SECOND = "sha256:" + "a" * 64, "sha256:" + "b" * 64
LAYERS = [{"digest": FIRST, "size": 7}, {"digest": SECOND, "size": 9}]


def image(config: Any, layers: list[dict[str, Any]] | None = None) -> Image:
    content = json.dumps({"layers": LAYERS if layers is None else layers}).encode()
    return read_image(content, config if isinstance(config, bytes | None) else json.dumps(config).encode())


def test_layers_are_paired_with_their_steps_of_the_history() -> None:
    steps = [
        {"created_by": "ADD x", "created": "2024-01-02T03:04:05.678Z", "author": "me", "comment": "hello"},
        {"created_by": "ENV a=b", "empty_layer": True},
        {"created_by": "RUN y"},
    ]
    found = image({"history": steps, "created": "2024-01-02T03:04:06Z", "config": {"Labels": {"a": "b"}}})

    assert [(one.digest, one.size, one.command) for one in found.layers] == [
        (FIRST, 7, "ADD x"),
        (EMPTY_LAYER, 0, "ENV a=b"),
        (SECOND, 9, "RUN y"),
    ]
    first = found.layers[0]
    assert (first.author, first.comment, first.created_at) == ("me", "hello", 1704164645)
    assert (found.created_at, found.labels) == (1704164646, {"a": "b"})


@pytest.mark.parametrize(
    "config",
    [
        None,
        b"",
        b"\xff",
        b"[" * 100_000,
        [],
        {"history": "x", "config": 7},
        {"history": [{"created_by": "only one"}]},
        {"history": [{}, 7], "config": {"Labels": ["x"]}},
    ],
)
def test_a_config_that_does_not_fit_leaves_the_manifests_layers(config: object) -> None:
    found = image(config)

    assert [one.digest for one in found.layers] == [FIRST, SECOND]
    assert {one.command for one in found.layers} == {None}
    assert found.labels == {}


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "soon", 7, None])
def test_an_impossible_moment_is_none(moment: object) -> None:
    assert image({"created": moment}).created_at is None


def test_texts_can_be_encoded_in_a_response() -> None:
    config = b'{"config": {"Labels": {"half": "\\ud800", "number": 7, "": "x"}}}'

    assert image(config).labels == {"half": "\ufffd"}


def test_layers_that_are_stored_elsewhere_have_urls() -> None:
    kind = "application/vnd.oci.image.layer.nondistributable.v1.tar"
    (layer,) = image(
        None, [{"digest": FIRST, "size": 7, "mediaType": kind, "urls": ["https://x.example.com", 7]}]
    ).layers

    assert (layer.is_remote, layer.urls) == (True, ("https://x.example.com",))

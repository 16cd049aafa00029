"""Pushes of invalid manifests."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.protocol import content
from tests.protocol.content import Blob, a_manifest, as_manifest, digest_of
from tests.protocol.registry import Repository, assert_refused


def put(repository: Repository, body: bytes, media_type: str = content.OCI_MANIFEST) -> Any:
    return repository.put_manifest(body, "bad", media_type)


MALFORMED = {
    "empty": b"",
    "half": b'{"schemaVersion": 2, "config": {',
    "not json": b"hello there",
    "list": b"[]",
    "string": b'"manifest"',
    "number": b"2",
    "null": b"null",
    "not utf-8": b'{"schemaVersion": 2, "x": "\xff\xfe"}',
    "two documents": b"{}{}",
    "not a number": b'{"schemaVersion": NaN}',
    "empty object": b"{}",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_body_that_is_not_a_json_object_is_refused(repository: Repository, body: Any) -> None:
    assert_refused(put(repository, body), 400, "MANIFEST_INVALID")
    assert repository.head_manifest("bad").status_code == 404


def test_endless_nesting_is_refused(repository: Repository, blobs: tuple[Blob, Blob]) -> None:
    config, layer = blobs
    deep = b"[" * 100_000 + b"]" * 100_000
    body = a_manifest(config, [layer]).content[:-1] + b',"deep":' + deep + b"}"

    assert_refused(put(repository, body), 400, "MANIFEST_INVALID")


@pytest.mark.parametrize("twin", [b'"schemaVersion":2,', b'"layers":[],'], ids=["schemaVersion", "layers"])
def test_a_duplicate_key_is_refused(repository: Repository, blobs: tuple[Blob, Blob], twin: bytes) -> None:
    """Two parsers would see two different manifests under one digest."""
    config, layer = blobs
    body = a_manifest(config, [layer]).content

    assert_refused(put(repository, b"{" + twin + body[1:]), 400, "MANIFEST_INVALID")


def test_a_media_type_that_disagrees_with_the_header_is_refused(
    repository: Repository, blobs: tuple[Blob, Blob]
) -> None:
    config, layer = blobs
    manifest = a_manifest(config, [layer])

    assert_refused(put(repository, manifest.content, content.DOCKER_MANIFEST), 400, "MANIFEST_INVALID")
    assert_refused(put(repository, manifest.content, content.OCI_INDEX), 400, "MANIFEST_INVALID")


BROKEN: dict[str, dict[str, object]] = {
    "config is a list": {"config": []},
    "config is missing": {"config": None},
    "layers is an object": {"layers": {}},
    "layer is a string": {"layers": ["sha256:abc"]},
    "layer without digest": {"layers": [{"mediaType": content.OCI_LAYER, "size": 1}]},
    "digest is a number": {"layers": [{"mediaType": content.OCI_LAYER, "size": 1, "digest": 1}]},
    "digest is none": {"layers": [{"mediaType": content.OCI_LAYER, "size": 1, "digest": "sha256:abc"}]},
    "size is text": {"layers": [{"mediaType": content.OCI_LAYER, "size": "1", "digest": digest_of(b"1")}]},
    "size is negative": {"layers": [{"mediaType": content.OCI_LAYER, "size": -1, "digest": digest_of(b"1")}]},
    "subject is a string": {"subject": "sha256:abc"},
    "subject without digest": {"subject": {"mediaType": content.OCI_MANIFEST, "size": 1}},
    "annotations is a list": {"annotations": ["a"]},
    "annotation is a number": {"annotations": {"a": 1}},
    "schemaVersion is 1": {"schemaVersion": 1},
    "artifactType is a list": {"artifactType": []},
    "manifests beside layers": {"manifests": []},
}


@pytest.mark.parametrize("fields", BROKEN.values(), ids=BROKEN.keys())
def test_fields_of_another_type_are_refused(repository: Repository, blobs: tuple[Blob, Blob], fields: Any) -> None:
    config, layer = blobs
    document = json.loads(a_manifest(config, [layer]).content) | fields

    assert_refused(put(repository, as_manifest(document).content), 400, "MANIFEST_INVALID", "DIGEST_INVALID")
    assert repository.head_manifest("bad").status_code == 404


@pytest.mark.parametrize("media_type", [content.DOCKER_SCHEMA1, "text/html"])
def test_an_outdated_manifest_type_is_refused(repository: Repository, media_type: Any) -> None:
    body = b'{"schemaVersion":1,"name":"a/b","tag":"old","fsLayers":[],"history":[],"signatures":[]}'

    assert_refused(put(repository, body, media_type), (400, 415), "MANIFEST_INVALID", "UNSUPPORTED")

"""What a pushed manifest names is there, has the size that is written, and is looked up before it costs writes."""

import json

import pytest

from chalicelib.domain import media_types
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import ManifestBlobUnknown, ManifestInvalid, TagImmutable
from chalicelib.domain.manifests import parse_manifest
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.tag_changes import TagUpdate
from tests.support.backends import Backend
from tests.support.builders import (
    a_blob,
    a_config,
    a_descriptor,
    a_direct_upload,
    a_manifest,
    an_index,
    push_image,
    push_manifest,
)

NAME = RepositoryName.parse("admin/app")


def some_digests(number: int) -> list[Digest]:
    return [Digest.of(str(one).encode()) for one in range(number)]


@pytest.mark.parametrize("field", ["layers", "manifests"])
def test_a_refused_manifest_of_many_descriptors_writes_nothing(backend: Backend, field: str) -> None:
    a_blob(backend)
    absent = some_digests(150)
    backend.calls.take()

    with pytest.raises(ManifestBlobUnknown) as refused:
        push_manifest(backend, a_manifest(absent) if field == "layers" else an_index(absent), "v1")

    assert len(refused.value.digests) == 100
    assert [call for call in backend.calls.take() if "Write" in call] == []


def test_a_refused_manifest_of_few_descriptors_costs_one_write(backend: Backend) -> None:
    a_blob(backend)
    backend.calls.take()

    with pytest.raises(ManifestBlobUnknown):
        push_manifest(backend, a_manifest(some_digests(24)), "v1")

    assert len([call for call in backend.calls.take() if "Write" in call]) == 1


def test_a_manifest_of_many_blobs_is_pushed(backend: Backend) -> None:
    manifest = a_manifest([a_blob(backend) for _ in range(30)], a_blob(backend, a_config()))

    assert push_manifest(backend, manifest, "v1") == manifest


def test_many_descriptors_that_an_immutable_tag_refuses_write_nothing(backend: Backend) -> None:
    push_image(backend, "v1")
    backend.services.registry.tags.update(backend.signed_in("admin"), NAME, Tag("v1"), TagUpdate(immutable=True))
    manifest = a_manifest([a_blob(backend) for _ in range(30)])
    backend.calls.take()

    with pytest.raises(TagImmutable):
        push_manifest(backend, manifest, *(f"t{number}" for number in range(12)), "v1")

    assert [call for call in backend.calls.take() if "Write" in call] == []


@pytest.mark.parametrize("size", [0, 63, 65])
def test_a_size_that_is_not_the_layers_is_refused(backend: Backend, size: int) -> None:
    layer = a_descriptor(a_blob(backend)) | {"size": size}

    with pytest.raises(ManifestInvalid, match=f"is {size}, but it has 64 bytes"):
        push_manifest(backend, a_manifest(layers=[layer]), "v1")


def test_a_size_that_is_not_the_configs_is_refused(backend: Backend) -> None:
    config = a_descriptor(a_blob(backend, a_config()), media_types.OCI_CONFIG) | {"size": 1}
    document = {"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST, "config": config, "layers": []}

    with pytest.raises(ManifestInvalid, match="is 1, but it has"):
        push_manifest(backend, parse_manifest(json.dumps(document).encode(), ""), "v1")


def test_a_size_that_is_not_that_of_a_direct_upload_is_refused(backend: Backend) -> None:
    a_direct_upload(backend, b"direct")
    layer = a_descriptor(Digest.of(b"direct")) | {"size": 7}

    with pytest.raises(ManifestInvalid, match="is 7, but it has 6 bytes"):
        push_manifest(backend, a_manifest(layers=[layer]), "v1")


def test_a_size_that_is_not_written_contradicts_nothing(backend: Backend) -> None:
    layer = a_descriptor(a_blob(backend))
    del layer["size"]

    push_manifest(backend, a_manifest(layers=[layer]), "v1")


def test_a_size_that_is_not_the_entrys_is_refused_whether_it_is_a_manifest_or_a_blob(backend: Backend) -> None:
    for digest, size in ((push_image(backend).digest, 3), (a_blob(backend), 4)):
        entry = a_descriptor(digest, media_types.OCI_MANIFEST if size == 3 else "x/y", size)

        with pytest.raises(ManifestInvalid, match=f"is {size}, but it has"):
            push_manifest(backend, an_index(manifests=[entry]), "multi")

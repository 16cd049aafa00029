from __future__ import annotations

import json
from typing import Any

import pytest

from tests.protocol import content
from tests.protocol.content import (
    EMPTY,
    Blob,
    Manifest,
    a_blob,
    a_config,
    a_docker_image,
    a_manifest,
    an_artifact,
    an_image,
    an_index,
)
from tests.protocol.registry import Repository, assert_refused


def assert_kept(repository: Repository, manifest: Any, reference: str | None = None) -> None:
    """Checks that the manifest is served unchanged, with its type and its digest."""
    answer = repository.get_manifest(reference or manifest.digest)
    assert (answer.status_code, answer.content) == (200, manifest.content)
    assert answer.headers["Content-Type"] == manifest.media_type
    assert answer.headers["Docker-Content-Digest"] == manifest.digest


# Pushing


def test_a_push_answers_with_location_and_digest(repository: Repository) -> None:
    image = an_image()
    for reference in ("latest", image.manifest.digest):
        answer = repository.push_image(image, reference)

        assert answer.headers["Docker-Content-Digest"] == image.manifest.digest
        located = repository.send("GET", answer.headers["Location"])
        assert (located.status_code, located.content) == (200, image.manifest.content)


def test_the_first_push_creates_the_repository(repository: Repository) -> None:
    assert repository.tags().status_code == 404
    repository.push_image(an_image(), "latest")

    assert repository.tags().json()["tags"] == ["latest"]


def test_the_same_push_again_is_accepted(repository: Repository) -> None:
    image = an_image()
    repository.push_image(image, "latest")

    assert repository.push_manifest(image.manifest, "latest").status_code == 201


def test_a_docker_image_and_a_docker_list(repository: Repository) -> None:
    images = [a_docker_image(), a_docker_image()]
    for image in images:
        repository.push_image(image)
    index = an_index(*(image.manifest for image in images), media_type=content.DOCKER_LIST)
    repository.push_manifest(index, "list")

    assert_kept(repository, index, "list")
    assert_kept(repository, images[0].manifest)


def test_a_nested_and_mixed_index(repository: Repository) -> None:
    docker, oci, artifact = a_docker_image(), an_image(), an_artifact()
    for image in (docker, oci, artifact):
        repository.push_image(image)
    inner = an_index(docker.manifest, oci.manifest)
    repository.push_manifest(inner)
    outer = an_index(inner, artifact.manifest, oci.manifest)
    repository.push_manifest(outer, "all")

    assert_kept(repository, outer, "all")
    assert_kept(repository, inner)


def test_an_empty_index(repository: Repository) -> None:
    index = an_index()
    repository.push_manifest(index, "empty")

    assert_kept(repository, index, "empty")


def test_a_manifest_without_layers(repository: Repository) -> None:
    image = an_image(layers=0)
    repository.push_image(image, "config-only")

    assert_kept(repository, image.manifest, "config-only")


def test_a_manifest_that_names_a_blob_twice(repository: Repository, blobs: tuple[Blob, Blob]) -> None:
    config, layer = blobs
    manifest = a_manifest(config, [layer, layer])
    repository.push_manifest(manifest, "twice")

    assert_kept(repository, manifest, "twice")


def test_an_artifact_with_the_empty_config(repository: Repository) -> None:
    artifact = an_artifact()
    repository.push_image(artifact, "sbom")

    assert_kept(repository, artifact.manifest, "sbom")


def test_an_artifact_index(repository: Repository) -> None:
    artifact = an_artifact()
    repository.push_image(artifact)
    index = an_index(artifact.manifest, artifactType=content.SBOM)
    repository.push_manifest(index, "sboms")

    assert_kept(repository, index, "sboms")


def test_a_custom_media_type(repository: Repository, blobs: tuple[Blob, Blob]) -> None:
    config, layer = blobs
    manifest = a_manifest(config, [layer], artifactType="application/x.made-up", mediaType=content.OCI_MANIFEST)
    repository.push_manifest(manifest, "own")

    assert_kept(repository, manifest, "own")


def test_unknown_fields_are_kept(repository: Repository, blobs: tuple[Blob, Blob]) -> None:
    config, layer = blobs
    fields: dict[str, Any] = {"org.example.field": {"deep": [1, None, "é"]}, "zz": 1e3}
    manifest = a_manifest(config, [layer], **fields)
    repository.push_manifest(manifest, "custom")

    assert_kept(repository, manifest, "custom")


def test_descriptors_with_data_urls_and_annotations(repository: Repository, blobs: tuple[Blob, Blob]) -> None:
    config, layer = blobs
    described = layer.descriptor(annotations={"a": "b"}, urls=["https://example.com/layer"])
    manifest = a_manifest(config, [], config=EMPTY.descriptor(data="e30="), layers=[described])
    repository.push_blob(EMPTY)
    repository.push_manifest(manifest, "data")

    assert_kept(repository, manifest, "data")


def test_a_manifest_without_media_type_takes_it_from_the_header(
    repository: Repository, blobs: tuple[Blob, Blob]
) -> None:
    """image-spec 1.0 left `mediaType` out of manifests."""
    config, layer = blobs
    manifest = a_manifest(config, [layer], mediaType=None)
    repository.push_manifest(manifest, "old")

    assert_kept(repository, manifest, "old")


def test_odd_white_space_and_order_are_kept(repository: Repository, blobs: tuple[Blob, Blob]) -> None:
    config, layer = blobs
    document = json.loads(a_manifest(config, [layer]).content)
    odd = json.dumps(dict(reversed(document.items())), indent=7, separators=(" ,\t", "  : ")) + "\n\n\r\n "
    manifest = Manifest(odd.encode(), content.OCI_MANIFEST)
    repository.push_manifest(manifest, "odd")

    assert_kept(repository, manifest, "odd")


def test_escapes_and_unicode_are_kept(repository: Repository, blobs: tuple[Blob, Blob]) -> None:
    config, layer = blobs
    text = a_manifest(config, [layer], annotations={"k": "snow"}).content.decode()
    manifest = Manifest(text.replace("snow", "\\u2603 ☃ \\/").encode(), content.OCI_MANIFEST)
    repository.push_manifest(manifest, "unicode")

    assert_kept(repository, manifest, "unicode")


def test_parameters_of_the_content_type_are_ignored(repository: Repository) -> None:
    image = an_image()
    repository.push_image(image)
    answer = repository.put_manifest(image.manifest.content, "latest", f"{content.OCI_MANIFEST}; charset=utf-8")

    assert answer.status_code == 201
    assert_kept(repository, image.manifest, "latest")


@pytest.mark.parametrize("size", [31_000, 33_000, 700_000, 3_920_000, 4 * 2**20], ids=lambda size: f"{size}-bytes")
def test_a_manifest_of_every_size_up_to_4_mib(repository: Repository, blobs: tuple[Blob, Blob], size: int) -> None:
    """The conformance suite pushes 390 annotations of 10,000 characters; clients have a limit of 4 MiB."""
    config, layer = blobs
    bare = len(a_manifest(config, [layer], annotations={"fill": ""}).content)
    manifest = a_manifest(config, [layer], annotations={"fill": "x" * (size - bare)})
    assert len(manifest.content) == size
    repository.push_manifest(manifest, "large")

    assert_kept(repository, manifest, "large")
    assert repository.head_manifest("large").headers["Content-Length"] == str(size)


@pytest.mark.parametrize("size", [4 * 2**20 + 1, 5_000_000, 12_000_000], ids=lambda size: f"{size}-bytes")
def test_a_larger_manifest_is_413(repository: Repository, blobs: tuple[Blob, Blob], size: int) -> None:
    config, layer = blobs
    bare = len(a_manifest(config, [layer], annotations={"fill": ""}).content)
    manifest = a_manifest(config, [layer], annotations={"fill": "x" * (size - bare)})
    answer = repository.put_manifest(manifest.content, "large", manifest.media_type)

    assert_refused(answer, 413, "MANIFEST_INVALID", "SIZE_INVALID")
    assert repository.head_manifest("large").status_code == 404


def test_a_manifest_of_3000_layers(repository: Repository, blobs: tuple[Blob, Blob]) -> None:
    config, layer = blobs
    manifest = a_manifest(config, [layer] * 3000)
    repository.push_manifest(manifest, "many")

    assert_kept(repository, manifest, "many")


def test_an_image_of_130_different_layers(repository: Repository) -> None:
    image = an_image(layers=130, layer_size=16)
    repository.push_image(image, "wide")

    assert_kept(repository, image.manifest, "wide")


# Digests and several tags


def test_a_push_by_digest_creates_no_tag(repository: Repository) -> None:
    image = an_image()
    repository.push_image(image)

    assert repository.tags().json()["tags"] == []


def test_a_push_under_another_manifests_digest_is_refused(repository: Repository) -> None:
    image, other = an_image(), an_image()
    repository.push_image(image)
    answer = repository.put_manifest(image.manifest.content, other.manifest.digest, content.OCI_MANIFEST)

    assert_refused(answer, 400, "DIGEST_INVALID")
    assert repository.head_manifest(other.manifest.digest).status_code == 404


@pytest.mark.parametrize("reference", ["sha256:baddigeststring", "md5:" + "a" * 32, "sha256:" + "A" * 64])
def test_a_push_under_an_invalid_digest_is_refused(repository: Repository, reference: str) -> None:
    image = an_image()
    repository.push_image(image)
    answer = repository.put_manifest(image.manifest.content, reference, content.OCI_MANIFEST)

    assert_refused(answer, 400, "DIGEST_INVALID", "MANIFEST_INVALID", "UNSUPPORTED")


def test_oci_tag_names_each_of_twelve_tags_in_one_push(repository: Repository) -> None:
    image = an_image()
    repository.push_image(image)
    tags = [f"v1.{number}" for number in range(12)]
    answer = repository.put_manifest(image.manifest.content, image.manifest.digest, content.OCI_MANIFEST, tags)

    assert answer.status_code == 201
    assert sorted(tag.strip() for tag in answer.headers["OCI-Tag"].split(",")) == sorted(tags)
    assert repository.tags().json()["tags"] == sorted(tags)
    for tag in tags:
        assert repository.head_manifest(tag).headers["Docker-Content-Digest"] == image.manifest.digest


def test_a_push_without_tags_has_no_oci_tag(repository: Repository) -> None:
    assert "OCI-Tag" not in repository.push_image(an_image()).headers


def test_several_tags_under_a_sha512_digest(repository: Repository) -> None:
    image = an_image()
    repository.push_image(image)
    manifest = Manifest(image.manifest.content, content.OCI_MANIFEST, "sha512")
    answer = repository.put_manifest(manifest.content, manifest.digest, manifest.media_type, ["a", "b"])

    assert answer.status_code == 201
    assert answer.headers["Docker-Content-Digest"] == manifest.digest
    assert_kept(repository, manifest, "a")


def test_an_invalid_tag_among_several_changes_nothing(repository: Repository) -> None:
    image = an_image()
    repository.push_image(image)
    answer = repository.put_manifest(
        image.manifest.content, image.manifest.digest, content.OCI_MANIFEST, ["good", "not/good"]
    )

    assert_refused(answer, 400)
    assert repository.tags().json()["tags"] == []


def test_sha256_and_sha512_of_one_manifest_live_side_by_side(repository: Repository) -> None:
    image = an_image()
    repository.push_image(image, "small")
    large = Manifest(image.manifest.content, content.OCI_MANIFEST, "sha512")
    repository.push_manifest(large)

    assert_kept(repository, large)
    assert_kept(repository, image.manifest, "small")


# Named content must exist


def test_unknown_blobs_are_refused_and_named(repository: Repository) -> None:
    image = an_image(layers=2)
    repository.push_blob(image.layers[0])
    answer = repository.put_manifest(image.manifest.content, "latest", content.OCI_MANIFEST)

    errors = assert_refused(answer, (400, 404), "MANIFEST_BLOB_UNKNOWN")
    assert image.config.digest in json.dumps(errors)
    assert image.layers[1].digest in json.dumps(errors)
    assert image.layers[0].digest not in json.dumps(errors)
    assert repository.head_manifest("latest").status_code == 404


def test_unknown_children_are_refused_and_named(repository: Repository) -> None:
    here, absent = an_image(), an_image()
    repository.push_image(here)
    index = an_index(here.manifest, absent.manifest)
    errors = assert_refused(
        repository.put_manifest(index.content, "all", index.media_type), (400, 404), "MANIFEST_BLOB_UNKNOWN"
    )

    assert absent.manifest.digest in json.dumps(errors)
    assert here.manifest.digest not in json.dumps(errors)


def test_a_blob_of_another_repository_is_unknown_here(repository: Repository, another_repository: Repository) -> None:
    image = an_image()
    another_repository.push_image(image)
    repository.push_blob(image.config)
    answer = repository.put_manifest(image.manifest.content, "latest", content.OCI_MANIFEST)

    assert_refused(answer, (400, 404), "MANIFEST_BLOB_UNKNOWN")


@pytest.mark.parametrize("media_type", [content.OCI_NONDISTRIBUTABLE, content.DOCKER_FOREIGN_LAYER])
def test_non_distributable_layers_are_not_required(repository: Repository, media_type: Any) -> None:
    config, foreign = a_config(), a_blob(media_type=media_type)
    repository.push_blob(config)
    manifest = a_manifest(config, [], layers=[foreign.descriptor(urls=["https://example.com/layer"])])
    repository.push_manifest(manifest, "foreign")

    assert_kept(repository, manifest, "foreign")

from __future__ import annotations

from typing import Any

import pytest

from tests.protocol import content
from tests.protocol.content import Image, a_blob, a_config, a_manifest, an_image, an_index
from tests.protocol.registry import Registry, Repository, assert_refused
from tests.protocol.wire import Wire
from tests.support.stack import Stack

EVERYTHING = ", ".join((content.OCI_MANIFEST, content.OCI_INDEX, content.DOCKER_MANIFEST, content.DOCKER_LIST))


@pytest.fixture
def image(repository: Repository) -> Any:
    image = an_image()
    repository.push_image(image, "latest")
    return image


def test_a_manifest_is_pulled_by_tag_and_by_digest(repository: Repository, image: Image) -> None:
    for reference in ("latest", image.manifest.digest):
        answer = repository.get_manifest(reference)

        assert answer.status_code == 200
        assert answer.content == image.manifest.content
        assert answer.headers["Docker-Content-Digest"] == image.manifest.digest
        assert answer.headers["Content-Length"] == str(len(image.manifest.content))


def test_the_content_type_is_the_pushed_one_without_parameters(repository: Repository) -> None:
    blob, config = a_blob(media_type=content.DOCKER_LAYER), a_config(content.DOCKER_CONFIG)
    image = content.Image(a_manifest(config, [blob], media_type=content.DOCKER_MANIFEST), config, [blob])
    repository.push_image(image, "docker")
    index = an_index(image.manifest, media_type=content.DOCKER_LIST)
    repository.push_manifest(index, "list")

    assert repository.get_manifest("docker").headers["Content-Type"] == content.DOCKER_MANIFEST
    assert repository.head_manifest("docker").headers["Content-Type"] == content.DOCKER_MANIFEST
    assert repository.get_manifest("list").headers["Content-Type"] == content.DOCKER_LIST


def test_head_has_digest_type_and_length(repository: Repository, image: Image) -> None:
    for reference in ("latest", image.manifest.digest):
        answer = repository.head_manifest(reference)

        assert answer.status_code == 200
        assert answer.headers["Docker-Content-Digest"] == image.manifest.digest
        assert answer.headers["Content-Type"] == content.OCI_MANIFEST
        assert answer.headers["Content-Length"] == str(len(image.manifest.content))


def test_head_sends_no_body_on_a_kept_connection(stack: Stack, repository: Repository, image: Image) -> None:
    """The client would read a body after HEAD as the start of the next answer."""
    target = f"/v2/{repository.name}/manifests/latest"
    headers = [("Host", stack.host), *repository.authorization().items()]
    with Wire(stack.url) as wire:
        assert wire.exchange("HEAD", target, headers).status == 200
        reply = wire.exchange("GET", target, headers)

    assert (reply.status, reply.body) == (200, image.manifest.content)


@pytest.mark.parametrize(
    "accept",
    [None, "*/*", EVERYTHING, content.OCI_MANIFEST, f"{content.DOCKER_MANIFEST};q=0.5, */*;q=0.1"],
    ids=["none", "anything", "all", "exact", "weighted"],
)
def test_a_manifest_is_served_as_stored_whatever_the_accept_header(
    repository: Repository, image: Image, accept: Any
) -> None:
    headers = {"Accept": accept} if accept else {"Accept": ""}
    answer = repository.get_manifest("latest", **headers)

    assert (answer.status_code, answer.content) == (200, image.manifest.content)


def test_accept_in_many_lines_is_understood(stack: Stack, repository: Repository, image: Image) -> None:
    lines = [("Accept", media_type) for media_type in EVERYTHING.split(", ")]
    headers = [("Host", stack.host), *repository.authorization().items(), *lines]
    with Wire(stack.url) as wire:
        reply = wire.exchange("GET", f"/v2/{repository.name}/manifests/latest", headers)

    assert (reply.status, reply.body) == (200, image.manifest.content)
    assert reply.header("Content-Type") == content.OCI_MANIFEST


def test_an_unknown_manifest_is_not_found(repository: Repository, image: Image) -> None:
    assert_refused(repository.get_manifest("absent"), 404, "MANIFEST_UNKNOWN")
    assert_refused(repository.get_manifest(a_blob().digest), 404, "MANIFEST_UNKNOWN")
    assert repository.head_manifest("absent").status_code == 404
    assert repository.head_manifest(a_blob().digest).status_code == 404


def test_an_unknown_repository_is_not_found(repository: Repository) -> None:
    for reference in ("latest", a_blob().digest):
        assert_refused(repository.get_manifest(reference), 404, "NAME_UNKNOWN", "MANIFEST_UNKNOWN")
        assert repository.head_manifest(reference).status_code == 404


def test_a_manifest_of_another_repository_is_not_found_here(
    repository: Repository, another_repository: Repository, image: Image
) -> None:
    another_repository.push_image(an_image(), "latest")

    assert_refused(another_repository.get_manifest(image.manifest.digest), 404, "MANIFEST_UNKNOWN")


def test_a_blob_is_not_served_as_a_manifest_nor_a_manifest_as_a_blob(repository: Repository, image: Image) -> None:
    assert_refused(repository.get_manifest(image.config.digest), 404, "MANIFEST_UNKNOWN")


@pytest.mark.parametrize("reference", ["sha256:short", "sha256:" + "Z" * 64, "md5:" + "a" * 32, "-leading"])
def test_a_malformed_reference_is_refused(repository: Repository, image: Image, reference: str) -> None:
    assert_refused(repository.get_manifest(reference), (400, 404))


def test_a_tag_of_128_characters_is_pulled(repository: Repository) -> None:
    image, tag = an_image(), "_" + "aZ0.-" * 25 + "xy"
    assert len(tag) == 128
    repository.push_image(image, tag)

    assert repository.get_manifest(tag).content == image.manifest.content


@pytest.mark.parametrize(
    "suffix", ["a", "a.b", "a_b", "a__b", "a-b", "a---b", "a/b/c/d", "0/1"], ids=lambda suffix: suffix.replace("/", "~")
)
def test_every_form_of_name_that_the_specification_allows_works(
    registry: Registry, repository: Repository, suffix: str
) -> None:
    named = registry.repository(f"{repository.name}/{suffix}")
    image = an_image()
    named.push_image(image, "latest")

    assert named.get_manifest("latest").content == image.manifest.content
    assert named.tags().json()["name"] == named.name


def test_a_moved_tag_is_pulled_at_once_and_the_old_manifest_remains_by_digest(
    repository: Repository, image: Image
) -> None:
    newer = an_image()
    repository.push_image(newer, "latest")

    assert repository.get_manifest("latest").content == newer.manifest.content
    assert repository.get_manifest(image.manifest.digest).content == image.manifest.content


def test_a_manifest_pushed_under_sha512_is_served_under_it(repository: Repository) -> None:
    blob, config = a_blob(algorithm="sha512"), a_config(algorithm="sha512")
    manifest = a_manifest(config, [blob], algorithm="sha512")
    repository.push_image(content.Image(manifest, config, [blob]))
    answer = repository.get_manifest(manifest.digest)

    assert (answer.status_code, answer.content) == (200, manifest.content)
    assert answer.headers["Docker-Content-Digest"] == manifest.digest
    assert repository.head_manifest(manifest.digest).headers["Docker-Content-Digest"] == manifest.digest


def test_the_ns_parameter_of_proxies_is_ignored(repository: Repository, image: Image) -> None:
    """containerd adds it if a mirror is configured; this registry is no proxy, so it sends no OCI-Namespace."""
    answer = repository.send("GET", "manifests/latest", params={"ns": "docker.io"})

    assert (answer.status_code, answer.content) == (200, image.manifest.content)
    assert "OCI-Namespace" not in answer.headers

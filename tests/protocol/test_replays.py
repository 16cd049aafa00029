"""Replayed clients push and pull whole images by each way of uploading.

Small layers fit the function (`lambda`), a larger PUT goes straight to S3 (`edge`), a larger PATCH to the `relay`.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any

import pytest

from tests.protocol import content
from tests.protocol.content import EMPTY, Blob, Image, a_blob, a_config, a_manifest, an_artifact, an_image, an_index
from tests.protocol.registry import Repository
from tests.protocol.replays import Buildx, Containerd, Docker29, Helm, Oras
from tests.protocol.replays_patch import Crane, CraneStream, DockerClassic, Kaniko, Podman, Regctl, Skopeo
from tests.protocol.wire import Wire, connect
from tests.support.stack import Stack

MIB = 2**20
CLIENTS = [
    Docker29,
    Containerd,
    Buildx,
    Oras,
    Helm,
    Regctl,
    DockerClassic,
    Podman,
    Skopeo,
    Crane,
    CraneStream,
    Kaniko,
]
SIZES = {"lambda": 20_000, "large": 5 * MIB + 333}


def client(kind: Any, stack: Stack, repository: Repository) -> Any:
    return kind(stack.url, stack.admin, stack.password, repository.name)


def everything(*images: Any, index: Any = None) -> Any:
    """Returns what a pull must return, by digest."""
    blobs = {blob.digest: blob.content for image in images for blob in [image.manifest, *image.blobs]}
    return blobs | ({index.digest: index.content} if index else {})


def a_chart(size: int) -> Any:
    config = Blob(b'{"name":"chart","version":"%d"}' % size, "application/vnd.cncf.helm.config.v1+json")
    chart = a_blob(size, "application/vnd.cncf.helm.chart.content.v1.tar+gzip")
    provenance = a_blob(300, "application/vnd.cncf.helm.chart.provenance.v1.prov")
    return Image(a_manifest(config, [chart, provenance]), config, [chart, provenance])


def a_docker_one(size: int) -> Any:
    layers = [a_blob(size, content.DOCKER_LAYER), a_blob(700, content.DOCKER_LAYER)]
    config = a_config(content.DOCKER_CONFIG)
    return Image(a_manifest(config, layers, media_type=content.DOCKER_MANIFEST), config, layers)


def image_of(kind: Any, size: int) -> Any:
    """Returns what this client pushes: a chart, docker's media types, or OCI's."""
    if kind is Helm:
        return a_chart(size)
    if kind is DockerClassic:
        return a_docker_one(size)
    layers = [a_blob(size), a_blob(700)]
    config = a_config()
    return Image(a_manifest(config, layers), config, layers)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
@pytest.mark.parametrize("kind", CLIENTS, ids=lambda kind: kind.__name__)
def test_an_image_is_pulled_unchanged(stack: Stack, repository: Repository, kind: Any, size: Any) -> None:
    image = image_of(kind, size)
    client(kind, stack, repository).push(image, "v1")

    assert client(kind, stack, repository).pull("v1") == everything(image)


def test_buildx_pushes_an_index_with_its_attestation(stack: Stack, repository: Repository) -> None:
    buildx = client(Buildx, stack, repository)
    image = an_image(layers=2)
    statement = a_blob(900, "application/vnd.in-toto+json")
    config = a_config()
    attestation = Image(a_manifest(config, [statement]), config, [statement])
    for part in (image, attestation):
        buildx.push(part, part.manifest.digest)
    children = [
        image.manifest.descriptor(platform={"architecture": "amd64", "os": "linux"}),
        attestation.manifest.descriptor(
            platform={"architecture": "unknown", "os": "unknown"},
            annotations={
                "vnd.docker.reference.digest": image.manifest.digest,
                "vnd.docker.reference.type": "attestation-manifest",
            },
        ),
    ]
    index = an_index(manifests=children)
    buildx.push_manifest(index, "latest")

    assert client(Docker29, stack, repository).pull("latest") == everything(image, attestation, index=index)


def test_docker_mounts_a_layer_from_its_source_repository(
    stack: Stack, repository: Repository, another_repository: Repository
) -> None:
    blob = a_blob()
    repository.push_blob(blob)

    assert client(Docker29, stack, another_repository).mount(blob, repository.name)
    assert client(Docker29, stack, another_repository).has(blob.digest)


def test_oras_attaches_and_finds_that_the_registry_keeps_the_list(stack: Stack, repository: Repository) -> None:
    oras = client(Oras, stack, repository)
    image = an_image()
    oras.push(image, "v1")
    artifact = an_artifact(image.manifest)
    for blob in (EMPTY, *artifact.layers):
        oras.push_blob(blob)

    reply = oras.push_manifest(artifact.manifest, artifact.manifest.digest)
    assert reply.header("OCI-Subject") == image.manifest.digest


def test_crane_reads_the_referrers_after_a_push_with_a_subject(stack: Stack, repository: Repository) -> None:
    crane = client(Crane, stack, repository)
    image = an_image()
    crane.push(image, "v1")

    assert crane.referrers(image.manifest.digest).status == 200


def test_regctl_skips_a_blob_that_its_anonymous_mount_finds(
    stack: Stack, repository: Repository, another_repository: Repository
) -> None:
    """Both 201 and 202 are right; the blob is there in the end with either."""
    blob = a_blob(50_000)
    repository.push_blob(blob)
    client(Regctl, stack, another_repository).push_blob(blob)

    assert another_repository.get_blob(blob.digest).content == blob.content


def test_regctl_continues_in_chunks_after_an_interrupted_put(stack: Stack, repository: Repository) -> None:
    regctl = client(Regctl, stack, repository)
    blob = a_blob(9 * MIB + 5)
    with Wire(stack.url) as wire:
        location = regctl.open_upload(wire, blob)
        assert location
        break_off_a_put(stack, repository, location, blob)
        assert regctl.chunk == 4 * MIB
        regctl.put_in_chunks(wire, location, blob)

    assert repository.get_blob(blob.digest).content == blob.content


def break_off_a_put(stack: Stack, repository: Repository, location: str, blob: Blob) -> None:
    """Sends half the body, then closes the connection."""
    path = location.removeprefix(stack.url)
    head = (
        f"PUT {path}?digest={blob.digest.replace(':', '%3A')} HTTP/1.1\r\nHost: {stack.host}\r\n"
        f"Authorization: {repository.authorization()['Authorization']}\r\nContent-Length: {len(blob.content)}\r\n\r\n"
    )
    with connect(stack.url) as connection:
        connection.sendall(head.encode() + blob.content[: 5 * MIB])


def test_regctl_reads_the_status_of_its_upload(stack: Stack, repository: Repository) -> None:
    regctl = client(Regctl, stack, repository)
    upload = repository.start_upload()
    upload.patch(b"x" * 1000, 0)
    regctl.token = repository.registry.token(repository.scope)
    with Wire(stack.url) as wire:
        assert regctl.reached(wire, regctl.url + upload.location.removeprefix(regctl.url)) == 999


def test_regctl_pushes_several_tags_at_once(stack: Stack, repository: Repository) -> None:
    regctl = client(Regctl, stack, repository)
    image = an_image()
    regctl.push(image, image.manifest.digest)
    regctl.push_tagged(image.manifest, ["1", "1.2", "1.2.3"])

    assert repository.tags().json()["tags"] == ["1", "1.2", "1.2.3"]


def test_docker_pushes_300_mb_in_one_put(stack: Stack, repository: Repository) -> None:
    """Docker's default since 29: a POST, then one PUT with the digest, straight to the bucket."""
    layer = Blob(os.urandom(3 * MIB) * 100)
    config = a_config()
    image = Image(a_manifest(config, [layer]), config, [layer])
    docker = client(Docker29, stack, repository)
    docker.push(image, "big")

    answer = repository.send("GET", f"blobs/{layer.digest}", allow_redirects=True, stream=True)
    pulled = hashlib.sha256()
    for piece in answer.iter_content(MIB):
        pulled.update(piece)
    assert f"sha256:{pulled.hexdigest()}" == layer.digest
    assert docker.resolve("big")[0] == image.manifest.digest

"""Pushes and pulls a layer of 300 MB with each client, and compares the bytes."""

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.clients.archives import pushed_content, saved_content
from tests.clients.images import (
    MIB,
    Descriptor,
    Layout,
    an_image,
    content_of,
    digest_of,
    write_docker_archive,
    write_oci_archive,
)
from tests.clients.programs import Program
from tests.clients.registry import Registry
from tests.support.stack import Stack

LAYER_BYTES = 300 * MIB


class BigImage(NamedTuple):
    """An image of one large layer, and the layout in which it is named `big`."""

    layout: Layout
    image: Descriptor
    layer: Descriptor


@pytest.fixture
def big(layout: Layout, repository: str) -> BigImage:
    """An image with different bytes in each test: podman remembers where a layer is and does not send it again."""
    image = an_image(layout, repository, (LAYER_BYTES,))
    layout.tag(image, "big")
    return BigImage(layout, image, content_of(layout, image)[1])


@pytest.fixture
def space(layout: Layout) -> Path:
    """A directory for pulled files, which is deleted when the test ends."""
    directory = layout.directory / "space"
    directory.mkdir()
    return directory


def test_skopeo_pushes_and_pulls_a_large_layer(
    skopeo: Program, registry: Registry, big: BigImage, repository: str, reference: str, space: Path
) -> None:
    skopeo("copy", f"oci:{big.layout.directory}:big", f"docker://{reference}:1")
    skopeo("copy", f"docker://{reference}:1", f"oci:{space}:1")

    assert registry.manifest(repository, "1").content == big.layout.read(big.image)
    assert digest_of(Layout(space).path(big.layer["digest"])) == big.layer["digest"]


def test_podman_pushes_and_pulls_a_large_layer(
    podman: Program, registry: Registry, big: BigImage, repository: str, reference: str, space: Path
) -> None:
    podman("tag", podman("pull", "--quiet", f"oci:{big.layout.directory}:big"), f"{reference}:1")
    podman("push", f"{reference}:1")
    podman("rmi", "--all", "--force")
    podman("pull", "--quiet", f"{reference}:1")
    podman("save", "--quiet", "--output", space / "back.tar", f"{reference}:1")
    diff_ids = pushed_content(big.layout, big.image)[1]

    assert diff_ids_in_registry(registry, repository) == diff_ids
    assert saved_content(space / "back.tar")[1] == diff_ids


def test_buildah_pushes_and_pulls_a_large_layer(
    buildah: Program, registry: Registry, big: BigImage, repository: str, reference: str, space: Path
) -> None:
    loaded = buildah("pull", "--quiet", f"oci:{big.layout.directory}:big")
    buildah("push", "--quiet", loaded, f"docker://{reference}:1")
    buildah("rmi", "--all", "--force")
    pulled = buildah("pull", "--quiet", f"{reference}:1")
    buildah("push", "--quiet", pulled, f"docker-archive:{space}/back.tar")
    diff_ids = pushed_content(big.layout, big.image)[1]

    assert diff_ids_in_registry(registry, repository) == diff_ids
    assert saved_content(space / "back.tar")[1] == diff_ids


def test_docker_pushes_and_pulls_a_large_layer(
    docker: Program, registry: Registry, big: BigImage, repository: str, reference: str, space: Path
) -> None:
    archive = write_docker_archive(big.layout, big.image, f"{reference}:1", space / "archive.tar")
    docker("load", "--quiet", "--input", archive)
    docker("push", "--quiet", f"{reference}:1")
    docker("rmi", f"{reference}:1")
    docker("pull", "--quiet", f"{reference}:1")
    docker("save", "--output", space / "back.tar", f"{reference}:1")
    docker("rmi", f"{reference}:1")

    assert diff_ids_in_registry(registry, repository) == pushed_content(big.layout, big.image)[1]
    assert saved_content(space / "back.tar") == pushed_content(big.layout, big.image)


def test_containerd_pushes_and_pulls_a_large_layer(
    ctr: Program, registry: Registry, big: BigImage, repository: str, reference: str, space: Path, stack: Stack
) -> None:
    big.layout.tag(big.image, f"{reference}:1")
    login = ("--plain-http", "--user", f"{stack.admin}:{stack.password}")
    ctr("images", "import", "--no-unpack", write_oci_archive(big.layout, space / "archive.tar"))
    ctr("images", "push", *login, f"{reference}:1")
    other = ctr.with_options("--namespace", f"{ctr.command[-1]}-elsewhere")
    other("content", "fetch", *login, f"{reference}:1")

    assert registry.manifest(repository, "1").content == big.layout.read(big.image)
    assert digest_in_containerd(other, big.layer["digest"]) == big.layer["digest"]


def test_oras_pushes_and_pulls_a_large_file(
    make_oras: Callable[..., Any], big: BigImage, reference: str, space: Path, stack: Stack
) -> None:
    file = big.layout.path(big.layer["digest"])
    make_oras(stack.password).push(f"{reference}:1", files=[str(file)], disable_path_validation=True)
    (pulled,) = make_oras(stack.password).pull(f"{reference}:1", outdir=str(space))

    assert digest_of(Path(pulled)) == big.layer["digest"]


def diff_ids_in_registry(registry: Registry, repository: str) -> list[str]:
    """Returns the diff ids of the layers of the image with the tag 1."""
    layers = registry.manifest(repository, "1").json()["layers"]
    return [registry.diff_id_of_blob(repository, layer["digest"]) for layer in layers]


def digest_in_containerd(ctr: Program, digest: str) -> str:
    """Returns the digest of the bytes that containerd has under a digest."""
    command = [*ctr.command, "content", "get", digest]
    with subprocess.Popen(command, env=dict(ctr.environment), stdout=subprocess.PIPE) as process:
        assert process.stdout
        hasher = hashlib.sha256()
        while chunk := process.stdout.read(MIB):
            hasher.update(chunk)
    assert process.returncode == 0
    return f"sha256:{hasher.hexdigest()}"

"""docker with the daemon's graph driver: it compresses each layer while it pushes, in one PATCH of unknown length."""

import json
import re
from pathlib import Path

import pytest

from tests.clients.archives import pushed_content, saved_content
from tests.clients.images import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    Descriptor,
    Layout,
    an_image,
    an_index,
    content_of,
    write_docker_archive,
)
from tests.clients.programs import Program, anonymous
from tests.clients.registry import Registry
from tests.support.stack import Stack


def load(docker: Program, layout: Layout, image: Descriptor, name: str) -> None:
    archive = write_docker_archive(layout, image, name, layout.directory / "archive.tar")
    assert docker("load", "--quiet", "--input", archive) == f"Loaded image: {name}"


def digest_in(output: str) -> str:
    """Returns the digest that docker prints at the end of a push or a pull."""
    (digest,) = re.findall(r"(?i)digest: (sha256:[0-9a-f]{64})", output)
    return str(digest)


def test_docker_login_refuses_a_wrong_password_and_accepts_the_right_one(
    docker: Program, stack: Stack, tmp_path: Path
) -> None:
    newcomer = docker.with_environment(DOCKER_CONFIG=str(tmp_path))
    login = ("login", "--username", stack.admin, "--password-stdin", stack.host)

    assert "unauthorized" in newcomer.refused(*login, typed="wrong")
    assert "Login Succeeded" in newcomer(*login, typed=stack.password)


def test_docker_gets_back_the_image_it_pushed(
    docker: Program, registry: Registry, layout: Layout, repository: str, reference: str, tmp_path: Path
) -> None:
    image = an_image(layout, repository)
    load(docker, layout, image, f"{reference}:1")
    pushed = digest_in(docker("push", f"{reference}:1"))
    docker("rmi", f"{reference}:1")
    pulled = digest_in(docker("pull", f"{reference}:1"))
    docker("save", "--output", tmp_path / "back.tar", f"{reference}:1")
    manifest = registry.manifest(repository, "1")

    assert pushed == pulled == manifest.headers["Docker-Content-Digest"]
    assert manifest.headers["Content-Type"] == DOCKER_MANIFEST
    assert saved_content(tmp_path / "back.tar") == pushed_content(layout, image)
    assert [
        registry.diff_id_of_blob(repository, layer["digest"]) for layer in manifest.json()["layers"]
    ] == pushed_content(layout, image)[1]


def test_docker_pushes_a_layer_only_once(
    docker: Program, registry: Registry, layout: Layout, repository: str, reference: str
) -> None:
    load(docker, layout, an_image(layout, repository), f"{reference}:1")
    docker("push", f"{reference}:1")
    docker("tag", f"{reference}:1", f"{reference}:2")

    assert docker("push", f"{reference}:2").count("Layer already exists") == 2
    assert registry.manifest(repository, "2").content == registry.manifest(repository, "1").content


def test_docker_mounts_the_layers_of_an_image_it_pushes_to_a_second_repository(
    docker: Program, registry: Registry, layout: Layout, repository: str, reference: str
) -> None:
    load(docker, layout, an_image(layout, repository), f"{reference}:1")
    docker("push", f"{reference}:1")
    docker("tag", f"{reference}:1", f"{reference}/copy:1")
    output = docker("push", f"{reference}/copy:1")
    manifest = registry.manifest(f"{repository}/copy", "1")

    assert output.count(f"Mounted from {repository}") == 2
    assert manifest.content == registry.manifest(repository, "1").content
    for layer in manifest.json()["layers"]:
        assert registry.digest_of_blob(f"{repository}/copy", layer["digest"]) == layer["digest"]


def test_docker_pulls_by_digest_and_shows_it(
    docker: Program, registry: Registry, layout: Layout, repository: str, reference: str
) -> None:
    image = an_image(layout, repository)
    registry.push(layout, image, repository, "1")
    docker("pull", f"{reference}@{image['digest']}")
    seen = docker("image", "inspect", "--format", "{{.Id}} {{json .RepoDigests}}", f"{reference}@{image['digest']}")

    assert seen == f'{content_of(layout, image)[0]["digest"]} ["{reference}@{image["digest"]}"]'


def test_docker_pulls_either_architecture_out_of_an_index(
    docker: Program, registry: Registry, layout: Layout, repository: str, reference: str
) -> None:
    index = an_index(layout, repository)
    registry.push(layout, index, repository, "multi")

    for architecture in ("amd64", "arm64"):
        assert digest_in(docker("pull", "--platform", f"linux/{architecture}", f"{reference}:multi")) == index["digest"]
        assert docker("image", "inspect", "--format", "{{.Architecture}}", f"{reference}:multi") == architecture


def test_docker_pushes_a_manifest_list_and_inspects_it(
    docker: Program, registry: Registry, layout: Layout, repository: str, reference: str
) -> None:
    images = [f"{reference}:{architecture}" for architecture in ("amd64", "arm64")]
    for name in images:
        load(docker, layout, an_image(layout, repository, (20_000,), name.rpartition(":")[2]), name)
        docker("push", name)
    docker("manifest", "create", "--insecure", f"{reference}:multi", *images)
    digest = docker("manifest", "push", "--insecure", f"{reference}:multi")
    listed = registry.manifest(repository, "multi")
    seen = json.loads(docker("manifest", "inspect", "--insecure", f"{reference}:multi"))

    assert listed.headers["Docker-Content-Digest"] == digest
    assert listed.headers["Content-Type"] == DOCKER_LIST
    assert seen["manifests"] == listed.json()["manifests"]
    assert [each["platform"]["architecture"] for each in seen["manifests"]] == ["amd64", "arm64"]


@pytest.mark.parametrize("what", [":1", ":never-pushed", "/never-pushed:1"])
def test_docker_pulls_nothing_from_a_private_repository_without_login(
    docker: Program, registry: Registry, layout: Layout, repository: str, reference: str, what: str
) -> None:
    registry.push(layout, an_image(layout, repository), repository, "1")

    assert "pull access denied" in anonymous(docker).refused("pull", f"{reference}{what}")


def test_docker_names_a_tag_that_is_not_there(
    docker: Program, registry: Registry, layout: Layout, repository: str, reference: str
) -> None:
    registry.push(layout, an_image(layout, repository), repository, "1")

    assert "manifest unknown" in docker.refused("pull", f"{reference}:never-pushed")

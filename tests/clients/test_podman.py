"""podman keeps layers unpacked: it compresses each one while it pushes, in one PATCH of unknown length."""

import json
from pathlib import Path

import pytest

from tests.clients.archives import pushed_content, saved_content
from tests.clients.images import Descriptor, Layout, an_image, an_index, content_of
from tests.clients.programs import Program, anonymous
from tests.clients.registry import Registry
from tests.support.stack import Stack


def load(podman: Program, layout: Layout, image: Descriptor, name: str) -> None:
    """Copies an image from a layout into podman's storage, with a name."""
    layout.tag(image, "loaded")
    podman("tag", podman("pull", "--quiet", f"oci:{layout.directory}:loaded"), name)


def test_podman_login_refuses_a_wrong_password_and_accepts_the_right_one(
    podman: Program, stack: Stack, tmp_path: Path
) -> None:
    login = ("login", "--authfile", tmp_path / "auth.json", "--username", stack.admin, "--password-stdin", stack.host)

    assert "invalid username/password" in podman.refused(*login, typed="wrong")
    assert podman(*login, typed=stack.password) == "Login Succeeded!"


@pytest.mark.parametrize("format_", ["oci", "v2s2"])
def test_podman_gets_back_the_image_it_pushed(
    podman: Program,
    registry: Registry,
    layout: Layout,
    repository: str,
    reference: str,
    tmp_path: Path,
    format_: str,
) -> None:
    image = an_image(layout, repository)
    load(podman, layout, image, f"{reference}:1")
    podman("push", "--format", format_, "--digestfile", tmp_path / "digest", f"{reference}:1")
    digest = (tmp_path / "digest").read_text()
    podman("rmi", "--all", "--force")
    podman("pull", f"{reference}:1")
    podman("save", "--quiet", "--output", tmp_path / "back.tar", f"{reference}:1")

    assert registry.manifest(repository, "1").headers["Docker-Content-Digest"] == digest
    assert podman("image", "inspect", "--format", "{{.Digest}}", f"{reference}:1") == digest
    assert saved_content(tmp_path / "back.tar")[1] == pushed_content(layout, image)[1]


def test_podman_lists_tags_and_finds_the_repository(
    podman: Program, layout: Layout, repository: str, reference: str, stack: Stack
) -> None:
    load(podman, layout, an_image(layout, repository), f"{reference}:one")
    for tag in ("one", "two"):
        podman("push", f"{reference}:one", f"docker://{reference}:{tag}")

    (listed,) = json.loads(podman("search", "--list-tags", "--format", "json", reference))
    found = json.loads(podman("search", "--format", "json", f"{stack.host}/{repository}"))

    assert sorted(listed["Tags"]) == ["one", "two"]
    assert [each["Name"] for each in found] == [reference]


def test_podman_mounts_the_layers_of_an_image_it_pushes_to_a_second_repository(
    podman: Program, registry: Registry, layout: Layout, repository: str, reference: str
) -> None:
    image = an_image(layout, repository)
    load(podman, layout, image, f"{reference}:1")
    podman("push", f"{reference}:1")
    output = podman.output("--log-level", "debug", "push", f"{reference}:1", f"docker://{reference}/copy:1")
    manifest = registry.manifest(f"{repository}/copy", "1")

    assert output.count("... mount OK") == len(manifest.json()["layers"])
    assert manifest.content == registry.manifest(repository, "1").content
    for layer in manifest.json()["layers"]:
        assert registry.digest_of_blob(f"{repository}/copy", layer["digest"]) == layer["digest"]


def test_podman_pushes_an_index_of_two_architectures_and_pulls_either(
    podman: Program, registry: Registry, layout: Layout, repository: str, reference: str, tmp_path: Path
) -> None:
    podman("manifest", "create", f"{reference}:multi")
    for architecture in ("amd64", "arm64"):
        image = an_image(layout, repository, (20_000,), architecture)
        load(podman, layout, image, f"{reference}:{architecture}")
        podman("push", f"{reference}:{architecture}")
        podman("manifest", "add", f"{reference}:multi", f"docker://{reference}:{architecture}")
    push = ("manifest", "push", "--all", "--digestfile", tmp_path / "digest")
    podman(*push, f"{reference}:multi", f"docker://{reference}:multi")
    podman("rmi", "--all", "--force")
    index = registry.manifest(repository, "multi")

    assert index.headers["Docker-Content-Digest"] == (tmp_path / "digest").read_text()
    assert [each["platform"]["architecture"] for each in index.json()["manifests"]] == ["amd64", "arm64"]
    for architecture in ("amd64", "arm64"):
        pulled = podman("pull", "--quiet", "--arch", architecture, f"{reference}:multi")
        assert podman("image", "inspect", "--format", "{{.Architecture}}", pulled) == architecture


def test_podman_inspects_an_index_in_the_registry(
    podman: Program, registry: Registry, layout: Layout, repository: str, reference: str
) -> None:
    index = an_index(layout, repository)
    registry.push(layout, index, repository, "multi")
    seen = json.loads(podman("manifest", "inspect", f"{reference}:multi"))

    assert [each["digest"] for each in seen["manifests"]] == [each["digest"] for each in content_of(layout, index)]


def test_podman_pulls_by_digest(
    podman: Program, registry: Registry, layout: Layout, repository: str, reference: str
) -> None:
    image = an_image(layout, repository)
    registry.push(layout, image, repository, "1")
    pulled = podman("pull", "--quiet", f"{reference}@{image['digest']}")

    assert podman("image", "inspect", "--format", "{{.Digest}}", pulled) == image["digest"]
    assert f"sha256:{pulled}" == content_of(layout, image)[0]["digest"]


@pytest.mark.parametrize("what", [":1", ":never-pushed", "/never-pushed:1"])
def test_podman_pulls_nothing_from_a_private_repository_without_login(
    podman: Program, registry: Registry, layout: Layout, repository: str, reference: str, what: str
) -> None:
    registry.push(layout, an_image(layout, repository), repository, "1")

    assert "unauthorized" in anonymous(podman).refused("pull", f"{reference}{what}")


def test_podman_names_a_tag_that_is_not_there(
    podman: Program, registry: Registry, layout: Layout, repository: str, reference: str
) -> None:
    registry.push(layout, an_image(layout, repository), repository, "1")

    assert "manifest unknown" in podman.refused("pull", f"{reference}:never-pushed")

"""buildah builds an image and pushes it; its requests are podman's, its storage and its lists are not."""

import json
from pathlib import Path

import pytest

from tests.clients.archives import saved_content
from tests.clients.images import Layout, Noise, an_image, content_of, digest_of
from tests.clients.programs import Program, anonymous
from tests.clients.registry import Registry
from tests.support.stack import Stack


def build(buildah: Program, name: str, directory: Path, architecture: str = "amd64") -> Path:
    """Builds an image of one layer with one file of noise; returns that file."""
    file = directory / f"{architecture}.bin"
    file.write_bytes(Noise(name + architecture, 100_000).read(100_000))
    container = buildah("from", "--arch", architecture, "scratch")
    buildah("add", "--quiet", container, file, "/noise.bin")
    buildah("config", "--arch", architecture, "--cmd", "/noise.bin", container)
    buildah("commit", "--quiet", "--rm", container, name)
    return file


def test_buildah_login_refuses_a_wrong_password_and_accepts_the_right_one(
    buildah: Program, stack: Stack, tmp_path: Path
) -> None:
    login = ("login", "--authfile", tmp_path / "auth.json", "--username", stack.admin, "--password-stdin", stack.host)

    assert "invalid username/password" in buildah.refused(*login, typed="wrong")
    assert buildah(*login, typed=stack.password) == "Login Succeeded!"


@pytest.mark.parametrize("format_", ["oci", "v2s2"])
def test_buildah_gets_back_the_image_it_built_and_pushed(
    buildah: Program, registry: Registry, repository: str, reference: str, tmp_path: Path, format_: str
) -> None:
    build(buildah, f"{reference}:1", tmp_path)
    buildah("push", "--quiet", f"{reference}:1", f"docker-archive:{tmp_path}/built.tar")
    buildah("push", "--format", format_, "--digestfile", tmp_path / "digest", f"{reference}:1")
    buildah("rmi", "--all", "--force")
    pulled = buildah("pull", "--quiet", f"{reference}:1")
    buildah("push", "--quiet", pulled, f"docker-archive:{tmp_path}/back.tar")

    assert registry.manifest(repository, "1").headers["Docker-Content-Digest"] == (tmp_path / "digest").read_text()
    assert saved_content(tmp_path / "back.tar")[1] == saved_content(tmp_path / "built.tar")[1]


def test_buildah_starts_from_a_private_image_of_the_registry(
    buildah: Program, registry: Registry, repository: str, reference: str, tmp_path: Path
) -> None:
    file = build(buildah, f"{reference}:1", tmp_path)
    buildah("push", f"{reference}:1")
    buildah("rmi", "--all", "--force")
    container = buildah("from", f"{reference}:1")
    inside = Path(buildah("mount", container))

    assert digest_of(inside / "noise.bin") == digest_of(file)
    buildah("umount", container)


def test_buildah_inspects_what_it_pulled(
    buildah: Program, registry: Registry, layout: Layout, repository: str, reference: str
) -> None:
    image = an_image(layout, repository)
    registry.push(layout, image, repository, "1")
    buildah("pull", "--quiet", f"{reference}:1")
    seen = json.loads(buildah("inspect", "--type", "image", f"{reference}:1"))

    assert seen["FromImageDigest"] == image["digest"]
    assert seen["Manifest"] == layout.read(image).decode()
    assert f"sha256:{seen['FromImageID']}" == content_of(layout, image)[0]["digest"]


def test_buildah_mounts_the_layers_of_an_image_it_pushes_to_a_second_repository(
    buildah: Program, registry: Registry, repository: str, reference: str, tmp_path: Path
) -> None:
    build(buildah, f"{reference}:1", tmp_path)
    buildah("push", f"{reference}:1")
    output = buildah.output("--log-level", "debug", "push", f"{reference}:1", f"docker://{reference}/copy:1")
    manifest = registry.manifest(f"{repository}/copy", "1")

    assert output.count("... mount OK") == len(manifest.json()["layers"])
    assert manifest.content == registry.manifest(repository, "1").content
    for layer in manifest.json()["layers"]:
        assert registry.digest_of_blob(f"{repository}/copy", layer["digest"]) == layer["digest"]


def test_buildah_pushes_an_index_of_two_architectures_and_pulls_either(
    buildah: Program, registry: Registry, repository: str, reference: str, tmp_path: Path
) -> None:
    buildah("manifest", "create", f"{reference}:multi")
    for architecture in ("amd64", "arm64"):
        build(buildah, f"{reference}:{architecture}", tmp_path, architecture)
        buildah("manifest", "add", f"{reference}:multi", f"{reference}:{architecture}")
    push = ("manifest", "push", "--all", "--digestfile", tmp_path / "digest")
    buildah(*push, f"{reference}:multi", f"docker://{reference}:multi")
    buildah("rmi", "--all", "--force")
    index = registry.manifest(repository, "multi")

    assert index.headers["Docker-Content-Digest"] == (tmp_path / "digest").read_text()
    assert [each["platform"]["architecture"] for each in index.json()["manifests"]] == ["amd64", "arm64"]
    for architecture in ("amd64", "arm64"):
        pulled = buildah("pull", "--quiet", "--arch", architecture, f"{reference}:multi")
        assert json.loads(buildah("inspect", "--type", "image", pulled))["OCIv1"]["architecture"] == architecture


@pytest.mark.parametrize("what", [":1", ":never-pushed", "/never-pushed:1"])
def test_buildah_pulls_nothing_from_a_private_repository_without_login(
    buildah: Program, registry: Registry, layout: Layout, repository: str, reference: str, what: str
) -> None:
    registry.push(layout, an_image(layout, repository), repository, "1")

    assert "unauthorized" in anonymous(buildah).refused("pull", f"{reference}{what}")

"""skopeo pushes, pulls, copies, inspects and deletes; it sends layers by one unbounded PATCH."""

import json
from pathlib import Path

import pytest

from tests.clients.callers import Person
from tests.clients.images import Layout, an_artifact, an_image, an_index, content_of, digest_of, write_directory
from tests.clients.programs import Program, anonymous
from tests.clients.registry import Registry
from tests.support.stack import Stack, wait_for


def push(skopeo: Program, layout: Layout, image: dict[str, object], target: str) -> None:
    layout.tag(image, "pushed")
    skopeo("copy", "--all", f"oci:{layout.directory}:pushed", f"docker://{target}")


def test_skopeo_login_refuses_a_wrong_password_and_accepts_the_right_one(
    skopeo: Program, stack: Stack, tmp_path: Path
) -> None:
    login = ("login", "--authfile", tmp_path / "auth.json", "--username", stack.admin, "--password-stdin", stack.host)

    assert "invalid username/password" in skopeo.refused(*login, typed="wrong")
    assert skopeo(*login, typed=stack.password) == "Login Succeeded!"


def test_skopeo_gets_back_the_bytes_it_pushed(
    skopeo: Program, registry: Registry, layout: Layout, repository: str, reference: str, tmp_path: Path
) -> None:
    image = an_image(layout, repository)
    push(skopeo, layout, image, f"{reference}:1")
    skopeo("copy", f"docker://{reference}:1", f"oci:{tmp_path}/back:1")
    back = Layout(tmp_path / "back")

    assert registry.manifest(repository, "1").content == layout.read(image)
    for part in [image, *content_of(layout, image)]:
        assert digest_of(back.path(part["digest"])) == part["digest"]


def test_pulls_by_skopeo_are_counted_by_tag_and_by_digest(
    skopeo: Program, stack: Stack, layout: Layout, repository: str, reference: str, tmp_path: Path
) -> None:
    image = an_image(layout, repository)
    push(skopeo, layout, image, f"{reference}:1")
    owner = Person(stack, stack.admin, stack.password).sign_in()

    def counts() -> list[int]:
        statistics = owner.get(f"/api/v1/repository/{repository}/tag/1/pull_statistics").json()
        assert statistics["current_manifest_digest"] == image["digest"]
        return [statistics["tag_pull_count"], statistics["manifest_pull_count"]]

    assert counts() == [0, 0]
    skopeo("copy", f"docker://{reference}:1", f"dir:{tmp_path}/by-tag")
    wait_for(lambda: counts() == [1, 1], "the pull by tag to be counted")
    skopeo("copy", f"docker://{reference}@{image['digest']}", f"dir:{tmp_path}/by-digest")
    wait_for(lambda: counts() == [1, 2], "the pull by digest to be counted")


def test_skopeo_keeps_the_bytes_of_a_docker_schema_2_image(
    skopeo: Program, registry: Registry, layout: Layout, repository: str, reference: str, tmp_path: Path
) -> None:
    image = an_image(layout, repository, docker=True)
    skopeo("copy", f"dir:{write_directory(layout, image, tmp_path / 'image')}", f"docker://{reference}:1")
    skopeo("copy", f"docker://{reference}:1", f"dir:{tmp_path}/back")

    assert registry.manifest(repository, "1").headers["Content-Type"] == image["mediaType"]
    assert (tmp_path / "back" / "manifest.json").read_bytes() == layout.read(image)
    for part in content_of(layout, image):
        assert digest_of(tmp_path / "back" / part["digest"].removeprefix("sha256:")) == part["digest"]


def test_skopeo_inspects_an_image_and_lists_its_tags(
    skopeo: Program, layout: Layout, repository: str, reference: str
) -> None:
    image = an_image(layout, repository)
    push(skopeo, layout, image, f"{reference}:one")
    skopeo("copy", f"docker://{reference}:one", f"docker://{reference}:two")
    seen = json.loads(skopeo("inspect", f"docker://{reference}:one"))

    assert seen["Digest"] == image["digest"]
    assert seen["Layers"] == [layer["digest"] for layer in content_of(layout, image)[1:]]
    assert seen["Labels"] == {"seed": repository}
    assert sorted(seen["RepoTags"]) == ["one", "two"]
    assert sorted(json.loads(skopeo("list-tags", f"docker://{reference}"))["Tags"]) == ["one", "two"]
    assert skopeo("inspect", "--raw", f"docker://{reference}@{image['digest']}") == layout.read(image).decode()


def test_skopeo_mounts_the_layers_of_a_copy_between_repositories(
    skopeo: Program, registry: Registry, layout: Layout, repository: str, reference: str
) -> None:
    image = an_image(layout, repository)
    push(skopeo, layout, image, f"{reference}:1")
    output = skopeo.output("--debug", "copy", f"docker://{reference}:1", f"docker://{reference}/copy:1")
    layers = content_of(layout, image)[1:]

    assert output.count("... mount OK") == len(layers)
    assert registry.manifest(f"{repository}/copy", "1").content == layout.read(image)
    for layer in layers:
        assert registry.digest_of_blob(f"{repository}/copy", layer["digest"]) == layer["digest"]


def test_skopeo_copies_a_multi_architecture_index_whole(
    skopeo: Program, registry: Registry, layout: Layout, repository: str, reference: str, tmp_path: Path
) -> None:
    index = an_index(layout, repository)
    push(skopeo, layout, index, f"{reference}:multi")
    skopeo("copy", "--all", f"docker://{reference}:multi", f"oci:{tmp_path}/back:multi")

    assert registry.manifest(repository, "multi").content == layout.read(index)
    for child in [index, *content_of(layout, index)]:
        assert digest_of(Layout(tmp_path / "back").path(child["digest"])) == child["digest"]


def test_skopeo_picks_one_architecture_out_of_an_index(
    skopeo: Program, layout: Layout, repository: str, reference: str
) -> None:
    push(skopeo, layout, an_index(layout, repository), f"{reference}:multi")
    arm = skopeo.with_options("--override-arch", "arm64", "--override-os", "linux")

    assert json.loads(arm("inspect", f"docker://{reference}:multi"))["Architecture"] == "arm64"


def test_an_artifact_pushed_by_skopeo_is_listed_with_its_subject(
    skopeo: Program, registry: Registry, layout: Layout, repository: str, reference: str
) -> None:
    image = an_image(layout, repository)
    note = an_artifact(layout, image)
    push(skopeo, layout, image, f"{reference}:1")
    layout.tag(note, "note")
    skopeo("copy", f"oci:{layout.directory}:note", f"docker://{reference}:note")
    (found,) = registry.referrers(repository, image["digest"])

    assert {key: found[key] for key in note} == note
    assert found["artifactType"] == "application/vnd.example.note"
    assert found["annotations"] == {"org.example.note": "signed by nobody"}


def test_skopeo_deletes_a_manifest_with_all_its_tags(
    skopeo: Program, registry: Registry, layout: Layout, repository: str, reference: str
) -> None:
    image = an_image(layout, repository)
    push(skopeo, layout, image, f"{reference}:1")
    skopeo("copy", f"docker://{reference}:1", f"docker://{reference}:latest")
    skopeo("delete", f"docker://{reference}:1")

    assert not any(registry.knows(repository, gone) for gone in ("1", "latest", image["digest"]))
    assert "manifest unknown" in skopeo.refused("inspect", f"docker://{reference}:1")


@pytest.mark.parametrize("what", [":1", ":never-pushed", "/never-pushed:1"])
def test_skopeo_pulls_nothing_from_a_private_repository_without_login(
    skopeo: Program, layout: Layout, repository: str, reference: str, what: str
) -> None:
    push(skopeo, layout, an_image(layout, repository), f"{reference}:1")

    assert "unauthorized" in anonymous(skopeo).refused("inspect", f"docker://{reference}{what}")

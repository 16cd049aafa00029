"""containerd keeps layers compressed and pushes each in one PUT with its length, like docker >= 29."""

import json
import subprocess

import pytest

from tests.clients.images import Descriptor, Layout, an_artifact, an_image, an_index, content_of, write_oci_archive
from tests.clients.programs import Program
from tests.clients.registry import Registry
from tests.support.stack import Stack


@pytest.fixture
def login(stack: Stack) -> tuple[str, ...]:
    """Returns the options of a login: containerd stores none."""
    return ("--plain-http", "--user", f"{stack.admin}:{stack.password}")


def load(ctr: Program, layout: Layout, image: Descriptor, name: str) -> None:
    """Imports an image with all that it names into containerd's content store."""
    layout.tag(image, name)
    archive = write_oci_archive(layout, layout.directory.with_suffix(".tar"))
    ctr("images", "import", "--no-unpack", "--all-platforms", archive)
    archive.unlink()


def pull(ctr: Program, login: tuple[str, ...], name: str, *options: str) -> None:
    ctr("images", "pull", *login, "--snapshotter", "native", *options, name)


def assert_kept(ctr: Program, layout: Layout, descriptor: Descriptor) -> None:
    """Asserts that containerd's content store has the same bytes as the layout."""
    done = subprocess.run(
        [*ctr.command, "content", "get", descriptor["digest"]],
        env=dict(ctr.environment),
        capture_output=True,
        check=True,
    )
    assert done.stdout == layout.read(descriptor)


def elsewhere(ctr: Program) -> Program:
    """The same daemon in a second, empty namespace."""
    return ctr.with_options("--namespace", f"{ctr.command[-1]}-elsewhere")


def test_containerd_is_refused_with_a_wrong_password(
    ctr: Program, layout: Layout, repository: str, reference: str, stack: Stack
) -> None:
    load(ctr, layout, an_image(layout, repository), f"{reference}:1")
    wrong = ("--plain-http", "--user", f"{stack.admin}:wrong")

    assert "401 unauthorized" in ctr.refused("images", "push", *wrong, f"{reference}:1")


def test_containerd_gets_back_the_bytes_it_pushed(
    ctr: Program, registry: Registry, layout: Layout, repository: str, reference: str, login: tuple[str, ...]
) -> None:
    image = an_image(layout, repository)
    load(ctr, layout, image, f"{reference}:1")
    ctr("images", "push", *login, f"{reference}:1")
    other = elsewhere(ctr)
    pull(other, login, f"{reference}:1")

    assert registry.manifest(repository, "1").content == layout.read(image)
    for part in [image, *content_of(layout, image)]:
        assert_kept(other, layout, part)


def test_containerd_keeps_the_bytes_of_a_docker_schema_2_image(
    ctr: Program, registry: Registry, layout: Layout, repository: str, reference: str, login: tuple[str, ...]
) -> None:
    image = an_image(layout, repository, docker=True)
    load(ctr, layout, image, f"{reference}:1")
    ctr("images", "push", *login, f"{reference}:1")
    other = elsewhere(ctr)
    pull(other, login, f"{reference}:1")

    assert registry.manifest(repository, "1").headers["Content-Type"] == image["mediaType"]
    for part in [image, *content_of(layout, image)]:
        assert_kept(other, layout, part)


def test_containerd_lists_what_it_pulled(
    ctr: Program, registry: Registry, layout: Layout, repository: str, reference: str, login: tuple[str, ...]
) -> None:
    image = an_image(layout, repository)
    registry.push(layout, image, repository, "1")
    pull(ctr, login, f"{reference}:1")
    (listed,) = [line.split() for line in ctr("images", "list").splitlines()[1:]]

    assert listed[:3] == [f"{reference}:1", image["mediaType"], image["digest"]]


def test_containerd_pushes_an_index_whole_and_pulls_it_whole(
    ctr: Program, registry: Registry, layout: Layout, repository: str, reference: str, login: tuple[str, ...]
) -> None:
    index = an_index(layout, repository)
    load(ctr, layout, index, f"{reference}:multi")
    ctr("images", "push", *login, f"{reference}:multi")
    other = elsewhere(ctr)
    pull(other, login, f"{reference}:multi", "--all-platforms")

    assert registry.manifest(repository, "multi").content == layout.read(index)
    for child in content_of(layout, index):
        for part in [child, *content_of(layout, child)]:
            assert_kept(other, layout, part)


def test_containerd_pulls_one_architecture_of_an_index(
    ctr: Program, registry: Registry, layout: Layout, repository: str, reference: str, login: tuple[str, ...]
) -> None:
    index = an_index(layout, repository)
    registry.push(layout, index, repository, "multi")
    pull(ctr, login, f"{reference}:multi", "--platform", "linux/arm64")
    amd64, arm64 = content_of(layout, index)

    assert_kept(ctr, layout, content_of(layout, arm64)[1])
    assert content_of(layout, amd64)[1]["digest"] not in ctr("content", "list", "--quiet")


def test_containerd_mounts_the_layers_of_an_image_it_pushes_to_a_second_repository(
    ctr: Program, registry: Registry, layout: Layout, repository: str, reference: str, login: tuple[str, ...]
) -> None:
    image = an_image(layout, repository)
    registry.push(layout, image, repository, "1")
    pull(ctr, login, f"{reference}:1")
    ctr("images", "tag", f"{reference}:1", f"{reference}/copy:1")
    output = ctr.output("images", "push", "--http-dump", *login, f"{reference}/copy:1")

    assert output.count(f"&from={repository} HTTP/1.1") == len(content_of(layout, image))
    assert f"PUT /v2/{repository}/copy/blobs/" not in output
    assert registry.manifest(f"{repository}/copy", "1").content == layout.read(image)
    for part in content_of(layout, image):
        assert registry.digest_of_blob(f"{repository}/copy", part["digest"]) == part["digest"]


def test_an_artifact_pushed_by_containerd_is_listed_with_its_subject_and_fetched(
    ctr: Program, registry: Registry, layout: Layout, repository: str, reference: str, login: tuple[str, ...]
) -> None:
    image = an_image(layout, repository)
    note = an_artifact(layout, image)
    load(ctr, layout, image, f"{reference}:1")
    load(ctr, layout, note, f"{reference}:note")
    for name in ("1", "note"):
        ctr("images", "push", *login, f"{reference}:{name}")
    (found,) = registry.referrers(repository, image["digest"])
    other = elsewhere(ctr)
    other("content", "fetch", *login, f"{reference}:note")

    assert {key: found[key] for key in note} == note
    assert_kept(other, layout, note)
    assert json.loads(layout.read(note))["subject"]["digest"] == image["digest"]


@pytest.mark.parametrize("what", [":1", ":never-pushed", "/never-pushed:1"])
def test_containerd_pulls_nothing_from_a_private_repository_without_login(
    ctr: Program, registry: Registry, layout: Layout, repository: str, reference: str, what: str
) -> None:
    registry.push(layout, an_image(layout, repository), repository, "1")
    pulling = ("images", "pull", "--plain-http", "--snapshotter", "native", f"{reference}{what}")

    assert "pull access denied" in ctr.refused(*pulling)


def test_containerd_names_a_tag_that_is_not_there(
    ctr: Program, registry: Registry, layout: Layout, repository: str, reference: str, login: tuple[str, ...]
) -> None:
    registry.push(layout, an_image(layout, repository), repository, "1")
    pulling = ("images", "pull", *login, "--snapshotter", "native", f"{reference}:never-pushed")

    assert f"{reference}:never-pushed: not found" in ctr.refused(*pulling)

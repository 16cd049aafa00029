"""oras, the Python library: it sends a HEAD for each blob, then one PUT, or chunks if requested."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.images import MIB, OCI_MANIFEST, Layout, Noise, an_image, an_index, content_of, digest_of
from tests.clients.registry import Registry
from tests.support.stack import Stack


@pytest.fixture
def oras(make_oras: Callable[..., Any], stack: Stack) -> Any:
    return make_oras(stack.password)


@pytest.fixture
def file(tmp_path: Path, repository: str) -> Path:
    path = tmp_path / "noise.bin"
    path.write_bytes(Noise(repository, 2_500_000).read(2_500_000))
    return path


def push(oras: Any, target: str, *files: Path, **options: Any) -> str:
    """Pushes files as an artifact; returns its digest."""
    reply = oras.push(target, files=[f"{file}:text/plain" for file in files], disable_path_validation=True, **options)
    assert reply.status_code == 201, reply.text
    return str(reply.headers["Docker-Content-Digest"])


def test_oras_is_refused_with_a_wrong_password(make_oras: Callable[..., Any], reference: str, file: Path) -> None:
    with pytest.raises(ValueError, match="Cannot respond to request for authentication"):
        # Without pauses oras tries so often that sign-in is blocked: for a user that no other test needs.
        push(make_oras("wrong", name="mallory"), f"{reference}:1", file)


def test_oras_logs_in_through_a_file_of_credentials(
    make_oras: Callable[..., Any], reference: str, file: Path, stack: Stack, tmp_path: Path
) -> None:
    login, newcomer = make_oras(), make_oras()
    settings = tmp_path / "config.json"
    output = login.login(stack.admin, stack.password, hostname=stack.host, config_path=str(settings))

    assert output["Status"] == "Login Succeeded"
    assert push(newcomer, f"{reference}:1", file, config_path=str(settings)).startswith("sha256:")


@pytest.mark.parametrize("chunks", [{}, {"do_chunked": True, "chunk_size": MIB}], ids=["whole", "in-chunks"])
def test_oras_gets_back_the_file_it_pushed(
    oras: Any, registry: Registry, repository: str, reference: str, file: Path, tmp_path: Path, chunks: dict[str, Any]
) -> None:
    digest = push(oras, f"{reference}:1", file, **chunks)
    (pulled,) = oras.pull(f"{reference}:1", outdir=str(tmp_path / "back"))
    (layer,) = oras.get_manifest(f"{reference}:1")["layers"]

    assert digest_of(Path(pulled)) == digest_of(file) == layer["digest"]
    assert registry.manifest(repository, digest).content == registry.manifest(repository, "1").content


def test_oras_lists_and_deletes_tags(
    oras: Any, registry: Registry, repository: str, reference: str, file: Path
) -> None:
    for tag in ("a", "b", "c"):
        push(oras, f"{reference}:{tag}", file, manifest_annotations={"tag": tag})

    assert oras.get_tags(reference) == ["a", "b", "c"]
    assert oras.get_tags(reference, N=2) == ["a", "b"]
    assert oras.delete_tags(reference, ["b"]) == ["b"]
    assert oras.get_tags(reference) == ["a", "c"]
    assert not registry.knows(repository, "b")


def test_an_artifact_attached_by_oras_is_listed_with_its_subject(
    oras: Any, registry: Registry, layout: Layout, repository: str, reference: str, file: Path
) -> None:
    image = an_image(layout, repository)
    registry.push(layout, image, repository, "1")
    digest = push(oras, f"{reference}:note", file, subject=importlib.import_module("oras.oci").Subject(**image))
    reply = oras.do_request(f"{oras.prefix}://{reference.replace('/', '/v2/', 1)}/referrers/{image['digest']}")
    (found,) = reply.json()["manifests"]

    assert (found["digest"], found["mediaType"]) == (digest, OCI_MANIFEST)
    assert registry.referrers(repository, image["digest"]) == [found]


def test_oras_copies_a_layout_through_the_registry_byte_for_byte(
    make_oras: Callable[..., Any],
    registry: Registry,
    layout: Layout,
    repository: str,
    reference: str,
    stack: Stack,
    tmp_path: Path,
) -> None:
    library = importlib.import_module("oras.layout")
    # Each client keeps one token, which is for one repository.
    first, second = make_oras(stack.password), make_oras(stack.password)

    index = an_index(layout, repository)
    layout.tag(index, "multi")
    library.NewLayout(str(layout.directory)).push_to_registry(first, f"{reference}:multi", tag="multi")
    copied = library.NewLayoutFromRegistry(str(tmp_path / "back"), first, f"{reference}:multi", tag="multi")
    copied.push_to_registry(second, f"{reference}/copy:multi", tag="multi")
    back = Layout(tmp_path / "back")

    for name in (repository, f"{repository}/copy"):
        assert registry.manifest(name, "multi").content == layout.read(index)
    for child in content_of(layout, index):
        for part in [child, *content_of(layout, child)]:
            assert digest_of(back.path(part["digest"])) == part["digest"]


@pytest.mark.parametrize("what", [":1", ":never-pushed", "/never-pushed:1"])
def test_oras_pulls_nothing_from_a_private_repository_without_login(
    oras: Any, make_oras: Callable[..., Any], reference: str, file: Path, what: str
) -> None:
    push(oras, f"{reference}:1", file)

    with pytest.raises(ValueError, match="Unauthorized"):
        make_oras().pull(f"{reference}{what}")

"""Real clients push to a real stack through a relay, and the registry gets what they sent."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from relay.__main__ import main
from tests.clients import daemons
from tests.clients.archives import pushed_content
from tests.clients.conftest import fresh_directory
from tests.clients.images import MIB, Layout, an_image, an_index, content_of, digest_of, write_docker_archive
from tests.clients.needs import require
from tests.clients.programs import Program, make_environment
from tests.clients.registry import Registry
from tests.support.stack import Stack

LAYER_BYTES = 30 * MIB
Make = Callable[..., str]


@pytest.fixture(scope="module")
def registry(stack: Stack) -> Registry:
    return Registry(stack)


@pytest.fixture(params=["spooled", "streamed"])
def served(request: pytest.FixtureRequest, make_relay: Make, stack: Stack) -> str:
    """A relay in front of the stack, without a key and with it."""
    key = bytes.fromhex(json.loads((stack.data / "secrets.json").read_text())["relay"])
    return make_relay(stack.url, b"" if request.param == "spooled" else key)


@pytest.fixture
def home() -> Iterator[Path]:
    with fresh_directory(Path("/tmp"), "cb-relay") as directory:
        yield directory


@pytest.fixture
def environment(home: Path, served: str) -> dict[str, str]:
    return make_environment(home, served)


@pytest.fixture
def layout(home: Path) -> Layout:
    (home / "layout").mkdir()
    return Layout(home / "layout")


@pytest.fixture
def repository(request: pytest.FixtureRequest) -> str:
    return f"admin/{request.function.__name__.replace('_', '-')[:60]}-{os.urandom(4).hex()}"


def test_skopeo_pushes_a_large_layer_through_the_relay_and_pulls_it_back(
    environment: dict[str, str], served: str, stack: Stack, registry: Registry, layout: Layout, repository: str
) -> None:
    require("skopeo")
    skopeo = Program(("skopeo", "copy"), environment)
    image = an_image(layout, repository, (LAYER_BYTES, 1000))
    layout.tag(image, "big")
    password = f"{stack.admin}:{stack.password}"
    back = Layout(layout.directory / "back")
    skopeo("--dest-creds", password, f"oci:{layout.directory}:big", f"docker://{served}/{repository}:1")
    skopeo("--src-creds", password, f"docker://{served}/{repository}:1", f"oci:{back.directory}:1")
    layers = content_of(layout, image)

    assert registry.manifest(repository, "1").content == layout.read(image)
    assert [registry.digest_of_blob(repository, each["digest"]) for each in layers] == [
        each["digest"] for each in layers
    ]
    assert [digest_of(back.path(each["digest"])) for each in layers] == [each["digest"] for each in layers]


def test_podman_pushes_a_large_layer_through_the_relay(
    environment: dict[str, str], served: str, stack: Stack, registry: Registry, layout: Layout, repository: str
) -> None:
    """podman compresses while it sends, so that its PATCH has no length."""
    require("podman")
    image = an_image(layout, repository, (LAYER_BYTES, 1000))
    layout.tag(image, "big")
    with fresh_directory(Path(environment["HOME"]), "podman") as storage:
        places = ("--root", storage / "root", "--runroot", storage / "run", "--tmpdir", storage / "tmp")
        options = ("--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "file")
        podman = Program(("podman", *map(str, places), *options), environment)
        podman("login", "--username", stack.admin, "--password-stdin", served, typed=stack.password)
        loaded = podman("pull", "--quiet", f"oci:{layout.directory}:big")
        podman("push", loaded, f"docker://{served}/{repository}:1")
    layers = registry.manifest(repository, "1").json()["layers"]

    assert [registry.diff_id_of_blob(repository, each["digest"]) for each in layers] == pushed_content(layout, image)[1]


def test_docker_pushes_a_large_layer_through_the_relay(
    home: Path,
    environment: dict[str, str],
    served: str,
    stack: Stack,
    registry: Registry,
    layout: Layout,
    repository: str,
) -> None:
    """docker's classic store sends one PATCH in chunks, and a HEAD afterwards."""
    require("docker")
    image = an_image(layout, repository, (LAYER_BYTES, 1000))
    archive = write_docker_archive(layout, image, f"{served}/{repository}:1", layout.directory / "archive.tar")
    with (
        daemons.containerd(home / "containerd", environment) as socket,
        daemons.dockerd(home / "docker", socket, environment) as host,
    ):
        docker = Program(("docker",), {**environment, "DOCKER_HOST": host})
        docker("login", "--username", stack.admin, "--password-stdin", served, typed=stack.password)
        docker("load", "--quiet", "--input", archive)
        docker("push", "--quiet", f"{served}/{repository}:1")
    layers = registry.manifest(repository, "1").json()["layers"]

    assert [registry.diff_id_of_blob(repository, each["digest"]) for each in layers] == pushed_content(layout, image)[1]


def test_a_sha512_digest_is_verified_before_the_client_gets_201(
    served: str, stack: Stack, registry: Registry, repository: str
) -> None:
    """The blob is larger than a part, so that the registry joins several."""
    content = os.urandom(70 * MIB)
    digest = f"sha512:{hashlib.sha512(content).hexdigest()}"
    ask = partial(requests.request, headers={"Authorization": token(stack, repository)}, timeout=120)
    begun = ask("POST", f"http://{served}/v2/{repository}/blobs/uploads/?digest-algorithm=sha512")
    location = requests.compat.urljoin(f"http://{served}", begun.headers["Location"])
    wrong = f"sha512:{hashlib.sha512(b'other').hexdigest()}"

    assert ask("PATCH", location, data=iter([content])).status_code == 202
    location = requests.compat.urljoin(f"http://{served}", ask("GET", location).headers["Location"])
    assert ask("PUT", f"{location}?digest={digest}").status_code == 201
    assert registry._ask("GET", f"/v2/{repository}/blobs/{digest}").content == content
    assert ask("GET", f"{stack.url}/v2/{repository}/blobs/{wrong}").status_code == 404


def token(stack: Stack, repository: str) -> str:
    scope = {"scope": f"repository:{repository}:pull,push"}
    found = requests.get(f"{stack.url}/v2/auth", params=scope, auth=(stack.admin, stack.password), timeout=30)
    return f"Bearer {found.json()['token']}"


@pytest.mark.parametrize("kind", ["oci", "docker-archive"])
def test_relay_push_pushes_an_image_with_a_large_layer(
    stack: Stack, registry: Registry, layout: Layout, repository: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAY_PASSWORD", stack.password)
    monkeypatch.setenv("XDG_CACHE_HOME", str(layout.directory / "cache"))
    image = an_image(layout, repository, (LAYER_BYTES, 1000))
    layout.tag(image, "1")
    source: Any = layout.directory
    if kind == "docker-archive":
        source = write_docker_archive(layout, image, "app:1", layout.directory / "saved.tar")
    words = ["push", "--registry", stack.url, "--user", stack.admin, f"{kind}:{source}", repository]
    manifest_of = partial(registry.manifest, repository, "1")

    assert main(words) == 0
    assert kind != "oci" or manifest_of().content == layout.read(image)
    layers = manifest_of().json()["layers"]
    assert [registry.digest_of_blob(repository, each["digest"]) for each in layers] == [
        each["digest"] for each in layers
    ]


def test_relay_push_pushes_an_index(
    stack: Stack, registry: Registry, layout: Layout, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAY_PASSWORD", stack.password)
    index = an_index(layout, repository)
    layout.tag(index, "multi")
    words = ["push", "--registry", stack.url, "--user", stack.admin, f"oci:{layout.directory}", f"{repository}:1"]

    assert main(words) == 0
    assert registry.manifest(repository, "1").content == layout.read(index)

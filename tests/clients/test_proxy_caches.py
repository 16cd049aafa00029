"""Clients pull through a proxy cache from one of Debian's docker-registry, which then may stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.clients.callers import Person, fresh, person
from tests.clients.images import Layout, an_image, an_index
from tests.clients.programs import Program
from tests.clients.registry import Registry
from tests.clients.upstreams import PASSWORD, USER, RealUpstream, real_upstream
from tests.support.stack import Stack, wait_for

LARGE = (12_000_000, 100_000)


@pytest.fixture
def upstream(tmp_path_factory: pytest.TempPathFactory, client: Callable[[str], None]) -> Iterator[RealUpstream]:
    client("docker-registry")
    with real_upstream(tmp_path_factory.mktemp("cached")) as running:
        yield running


@pytest.fixture
def owner(mirroring: Stack, upstream: RealUpstream) -> tuple[Person, str]:
    """Returns the administrator of a proxy cache, and its name."""
    created = person(mirroring)
    organization = created.organization()
    settings = {
        "upstream_registry": f"{upstream.host}/team",
        "insecure": True,
        "expiration_s": 1,
        "upstream_registry_username": USER,
        "upstream_registry_password": PASSWORD,
    }
    path = f"/api/v1/organization/{organization}"
    trial = created.post(f"{path}/validateproxycache", settings)
    assert (trial.status_code, trial.json()) == (202, "Valid"), trial.text
    assert created.post(f"{path}/proxycache", settings).json() == "Created"
    return created, organization


def tags(owner: Person, repository: str) -> dict[str, Any]:
    answer = owner.get(f"/api/v1/repository/{repository}?includeTags=true")
    return dict(answer.json()["tags"]) if answer.status_code == 200 else {}


def test_an_image_is_pulled_through_and_then_without_the_other_registry(
    mirroring: Stack, upstream: RealUpstream, owner: tuple[Person, str], skopeo: Program, layout: Layout
) -> None:
    user, organization = owner
    path = fresh("app")
    pushed = {"v1": an_image(layout, path, LARGE), "multi": an_index(layout, path)}
    for tag, descriptor in pushed.items():
        layout.tag(descriptor, tag)
        target = f"docker://{upstream.host}/team/{path}:{tag}"
        options = ("--all", "--preserve-digests", "--dest-tls-verify=false", "--dest-creds", f"{USER}:{PASSWORD}")
        skopeo("copy", *options, f"oci:{layout.directory}:{tag}", target)
    source = ("--src-creds", f"{user.name}:{user.password}", "--src-tls-verify=false")
    name = f"{organization}/{path}"

    def pull(tag: str, times: str) -> None:
        image = f"docker://{mirroring.host}/{name}:{tag}"
        skopeo("copy", "--all", *source, image, f"oci:{layout.directory}-{times}:{tag}")

    for tag in pushed:
        pull(tag, "first")
    wait_for(lambda: set(tags(user, name)) == set(pushed), "the workers")
    registry = Registry(mirroring, user.name, user.password)
    for tag, descriptor in pushed.items():
        assert registry.manifest(name, tag).content == layout.read(descriptor)

    upstream.stop()
    for tag in pushed:
        pull(tag, "again")
    refused = skopeo.refused("inspect", "--creds", f"{user.name}:{user.password}", "--tls-verify=false",
                             f"docker://{mirroring.host}/{organization}/never:v1")  # fmt: skip
    assert "try again" in refused or "unavailable" in refused


def test_nobody_pushes_into_a_proxy_cache(
    mirroring: Stack, owner: tuple[Person, str], skopeo: Program, layout: Layout
) -> None:
    user, organization = owner
    layout.tag(an_image(layout, organization), "v1")
    refused = skopeo.refused(
        "copy", "--dest-creds", f"{user.name}:{user.password}", "--dest-tls-verify=false",
        f"oci:{layout.directory}:v1", f"docker://{mirroring.host}/{organization}/own:v1",
    )  # fmt: skip
    assert "unauthorized" in refused or "denied" in refused

"""An organization mirrors one of another Quay: here this registry itself, asked with an API token as Quay is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.callers import Person, person
from tests.clients.images import Layout, an_image, an_index
from tests.clients.programs import Program
from tests.clients.registry import Registry
from tests.support.stack import Stack, wait_for

NAMES = ("web", "deep/api")
RUNNING = ("NEVER_RUN", "SYNC_NOW", "SYNCING")


@pytest.fixture
def owner(mirroring: Stack) -> Person:
    return person(mirroring)


@pytest.fixture
def source(owner: Person, mirroring: Stack, skopeo: Program, layout: Layout) -> str:
    """Returns an organization with two private repositories."""
    name = owner.organization()
    layout.tag(an_image(layout, name), "v1")
    layout.tag(an_index(layout, name), "multi")
    for repository in NAMES:
        for tag in ("v1", "multi"):
            target = f"docker://{mirroring.host}/{name}/{repository}:{tag}"
            credentials = ("--dest-creds", f"{owner.name}:{owner.password}", "--dest-tls-verify=false")
            skopeo("copy", "--all", *credentials, f"oci:{layout.directory}:{tag}", target)
    return name


def ask(owner: Person, method: str, path: str, status: int, body: object = None) -> Any:
    answer = owner.ask(method, path, body)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def repositories(owner: Person, mirror: str) -> dict[str, str]:
    listed = ask(owner, "GET", f"{mirror}/repositories", 200)["repositories"]
    return {one["name"]: one["sync_status"] for one in listed}


def test_an_organization_mirrors_all_private_repositories_of_another(
    owner: Person, source: str, mirroring: Stack, skopeo: Program
) -> None:
    copy = owner.organization()
    mirror = f"/api/v1/organization/{copy}/mirror"
    ask(owner, "PUT", f"/api/v1/organization/{copy}/robots/mirror", 201, {})
    token = str(owner.program(source, "repo:read").http.headers["Authorization"]).removeprefix("Bearer ")
    settings = {
        "external_registry_type": "quay",
        "external_registry_url": f"http://{mirroring.host}",
        "external_namespace": source,
        "external_registry_username": "$oauthtoken",
        "external_registry_password": token,
        "external_registry_config": {"verify_tls": False},
        "robot_username": f"{copy}+mirror",
        "visibility": "private",
        "sync_interval": 3600,
        "sync_start_date": "2099-01-01T00:00:00Z",
    }
    ask(owner, "POST", mirror, 201, settings)
    assert ask(owner, "POST", f"{mirror}/verify", 200)["success"]

    ask(owner, "POST", f"{mirror}/sync-now", 204)
    wait_for(lambda: set(repositories(owner, mirror)) == set(NAMES), "the discovery")
    wait_for(lambda: not set(repositories(owner, mirror).values()) & set(RUNNING), "the end of the runs")

    assert repositories(owner, mirror) == dict.fromkeys(sorted(NAMES), "SUCCESS")
    assert ask(owner, "GET", mirror, 200)["repo_sync_status_counts"]["SUCCESS"] == 2
    registry = Registry(mirroring, owner.name, owner.password)
    for name in NAMES:
        for tag in ("v1", "multi"):
            assert (
                registry.manifest(f"{copy}/{name}", tag).content == registry.manifest(f"{source}/{name}", tag).content
            )
    credentials = ("--creds", f"{owner.name}:{owner.password}", "--tls-verify=false")
    assert "v1" in skopeo("list-tags", *credentials, f"docker://{mirroring.host}/{copy}/web")
    refused = skopeo.refused(
        "copy", "--src-creds", f"{owner.name}:{owner.password}", "--src-tls-verify=false",
        "--dest-creds", f"{owner.name}:{owner.password}", "--dest-tls-verify=false",
        f"docker://{mirroring.host}/{source}/web:v1", f"docker://{mirroring.host}/{copy}/own:v1",
    )  # fmt: skip
    assert "unauthorized" in refused or "denied" in refused

    ask(owner, "DELETE", mirror, 204)
    assert ask(owner, "GET", f"/api/v1/repository/{copy}/web", 200)["state"] == "NORMAL"

"""A repository mirrors one of Debian's docker-registry: over TLS, with a password, directly and through tinyproxy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.callers import Person, fresh, person
from tests.clients.images import Layout, an_artifact, an_image, an_index, content_of
from tests.clients.programs import Program
from tests.clients.registry import Registry
from tests.clients.upstreams import PASSWORD, USER, RealUpstream, real_proxy, real_upstream
from tests.support.stack import Stack, wait_for


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory, client: Callable[[str], None]) -> Iterator[RealUpstream]:
    client("docker-registry")
    with real_upstream(tmp_path_factory.mktemp("upstream")) as running:
        yield running


class Mirror:
    """A mirror of a new user."""

    def __init__(self, stack: Stack, upstream: RealUpstream, path: str) -> None:
        self.owner: Person = person(stack)
        self.name, self.robot = f"{self.owner.name}/copy", f"{self.owner.name}+mirror"
        self._expect(self.owner.put("/api/v1/user/robots/mirror", {}), 201)
        new = {"repository": "copy", "visibility": "private", "description": ""}
        self._expect(self.owner.post("/api/v1/repository", new), 201)
        self.settings: dict[str, Any] = {
            "external_reference": f"{upstream.host}/{path}",
            "external_registry_username": USER,
            "external_registry_password": PASSWORD,
            "external_registry_config": {"verify_tls": False},
            "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["*"]},
            "robot_username": self.robot,
            "sync_start_date": "2099-01-01T00:00:00Z",
            "sync_interval": 3600,
        }

    def create(self, **changed: Any) -> Mirror:
        self._expect(self.ask("POST", "", {**self.settings, **changed}), 201)
        return self

    def change(self, **changed: Any) -> None:
        self._expect(self.ask("PUT", "", changed), 201)

    def ask(self, method: str, rest: str = "", body: object = None) -> Any:
        return self.owner.ask(method, f"/api/v1/repository/{self.name}/mirror{rest}", body)

    def sync(self) -> dict[str, Any]:
        """Runs the mirror; returns the run with its tags."""
        self._expect(self.ask("POST", "/sync-now"), 204)
        wait_for(lambda: self.ask("GET").json()["sync_status"] not in ("SYNC_NOW", "SYNCING"), "the end of the run")
        run = self._expect(self.ask("GET", "/runs"), 200)["runs"][0]
        found: dict[str, Any] = self._expect(self.ask("GET", f"/runs/{run['id']}"), 200)
        return found

    @staticmethod
    def _expect(answer: Any, status: int) -> Any:
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None


@pytest.fixture
def images(upstream: RealUpstream, skopeo: Program, layout: Layout) -> tuple[str, dict[str, Any]]:
    """Pushes an image and an index to the other registry; returns their repository and their descriptors."""
    path = f"team/{fresh('app')}"
    pushed = {"v1": an_image(layout, path), "multi": an_index(layout, path)}
    for tag, descriptor in pushed.items():
        layout.tag(descriptor, tag)
        push(skopeo, layout, tag, f"{upstream.host}/{path}:{tag}")
    return path, pushed


def push(skopeo: Program, layout: Layout, tag: str, target: str) -> None:
    options = ("--all", "--preserve-digests", "--dest-tls-verify=false", "--dest-creds", f"{USER}:{PASSWORD}")
    skopeo("copy", *options, f"oci:{layout.directory}:{tag}", f"docker://{target}")


def test_a_mirror_copies_a_registry_byte_for_byte(
    mirroring: Stack, upstream: RealUpstream, images: tuple[str, dict[str, Any]], skopeo: Program, tmp_path: Path,
    layout: Layout,
) -> None:  # fmt: skip
    path, pushed = images
    mirror = Mirror(mirroring, upstream, path).create()

    run = mirror.sync()

    assert (run["status"], run["added"], run["failed"]) == ("SUCCESS", 2, 0), run
    registry = Registry(mirroring, mirror.owner.name, mirror.owner.password)
    for tag, descriptor in pushed.items():
        assert registry.manifest(mirror.name, tag).content == layout.read(descriptor)
    for part in content_of(layout, pushed["v1"]):
        assert registry.digest_of_blob(mirror.name, part["digest"]) == part["digest"]
    credentials = ("--src-creds", f"{mirror.owner.name}:{mirror.owner.password}", "--src-tls-verify=false")
    skopeo(
        "copy", "--all", *credentials, f"docker://{mirroring.host}/{mirror.name}:multi", f"oci:{tmp_path}/back:multi"
    )

    # Nothing changed, and then a tag is gone and another one new.
    again = mirror.sync()
    assert (again["same"], again["added"], again["tags"]) == (2, 0, [])
    layout.tag(an_image(layout, f"{path}-2"), "v2")
    push(skopeo, layout, "v2", f"{upstream.host}/{path}:v2")
    mirror.change(root_rule={"rule_kind": "tag_glob_csv", "rule_value": ["v*"]})
    last = mirror.sync()
    assert (last["added"], last["removed"]) == (1, 1)
    assert not registry.knows(mirror.name, "multi")


def test_only_the_robot_of_a_mirror_pushes_into_it(
    mirroring: Stack, upstream: RealUpstream, images: tuple[str, dict[str, Any]], skopeo: Program, layout: Layout
) -> None:
    path, _ = images
    mirror = Mirror(mirroring, upstream, path).create()
    token = mirror.owner.get("/api/v1/user/robots/mirror").json()["token"]
    source, target = f"oci:{layout.directory}:v1", f"docker://{mirroring.host}/{mirror.name}:by-hand"
    options = ("copy", "--dest-tls-verify=false", "--dest-creds")

    refused = skopeo.refused(*options, f"{mirror.owner.name}:{mirror.owner.password}", source, target)
    assert "mirror" in refused or "unauthorized" in refused
    skopeo(*options, f"{mirror.robot}:{token}", source, target)


def test_signatures_and_referrers_arrive(
    mirroring: Stack, upstream: RealUpstream, images: tuple[str, dict[str, Any]], skopeo: Program, layout: Layout
) -> None:
    path, pushed = images
    digest = pushed["v1"]["digest"].replace(":", "-")
    layout.tag(an_artifact(layout, pushed["v1"]), f"{digest}.sig")
    push(skopeo, layout, f"{digest}.sig", f"{upstream.host}/{path}:{digest}.sig")
    mirror = Mirror(mirroring, upstream, path)
    mirror.create(root_rule={"rule_kind": "tag_glob_csv", "rule_value": ["v1"]})

    assert mirror.sync()["status"] == "SUCCESS"

    registry = Registry(mirroring, mirror.owner.name, mirror.owner.password)
    assert registry.knows(mirror.name, f"{digest}.sig")
    assert registry.referrers(mirror.name, pushed["v1"]["digest"])


@pytest.mark.parametrize(
    ("changed", "field", "sentence"),
    [
        ({"external_registry_config": {"verify_tls": True}}, "verify_tls", "certificate is not trusted"),
        ({"external_registry_password": "wrong"}, "external_registry_username", "refuses access"),
        ({"external_reference": "127.0.0.1:9/nobody/there"}, "external_reference", "does not answer"),
        ({"external_reference": "none"}, "external_reference", "has no repository"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_before_a_run_and_by_it(
    mirroring: Stack, upstream: RealUpstream, images: tuple[str, dict[str, Any]], changed: dict[str, Any],
    field: str, sentence: str,
) -> None:  # fmt: skip
    path, _ = images
    if changed.get("external_reference") == "none":
        changed = {**changed, "external_reference": f"{upstream.host}/nobody/there"}
    if "external_registry_password" in changed:
        changed = {**changed, "external_registry_username": USER}
    mirror = Mirror(mirroring, upstream, path).create()

    tested = mirror.ask("POST", "/test", changed)
    assert tested.status_code == 400
    assert sentence in tested.json()["detail"]
    assert tested.json()["detail"].startswith(field) or field in tested.json()["detail"]
    assert PASSWORD not in tested.text
    good = mirror.ask("POST", "/test", {})
    assert sorted(good.json()["tags"]) == ["multi", "v1"]

    mirror.change(**changed)
    run = mirror.sync()
    assert run["status"] == "FAIL"
    assert sentence in run["reason"]


def test_a_plan_says_what_a_run_would_do_and_does_nothing(
    mirroring: Stack, upstream: RealUpstream, images: tuple[str, dict[str, Any]], layout: Layout
) -> None:
    path, pushed = images
    mirror = Mirror(mirroring, upstream, path).create()

    answer = mirror.ask("POST", "/plan")

    assert answer.status_code == 200, answer.text
    plan = answer.json()
    assert (plan["added"], plan["removed"], plan["cause"]) == (2, 0, "plan")
    sizes = {tag["tag"]: tag["bytes"] for tag in plan["tags"]}
    assert sizes["v1"] == sum(part["size"] for part in content_of(layout, pushed["v1"]))
    assert mirror.owner.get(f"/api/v1/repository/{mirror.name}/tag/").json()["tags"] == []


@pytest.mark.parametrize("secret", ["", "proxy-word"])
def test_a_mirror_goes_through_a_proxy(
    mirroring: Stack, upstream: RealUpstream, images: tuple[str, dict[str, Any]], tmp_path: Path,
    client: Callable[[str], None], secret: str,
) -> None:  # fmt: skip
    client("tinyproxy")
    path, _ = images
    with real_proxy(tmp_path / "proxy", "someone" if secret else "", secret) as (address, log):
        login = f"someone:{secret}@" if secret else ""
        proxy = {"https_proxy": f"http://{login}{address}", "http_proxy": None, "no_proxy": None}
        config = {"verify_tls": False, "proxy": proxy}
        mirror = Mirror(mirroring, upstream, path).create(external_registry_config=config)

        assert mirror.sync()["status"] == "SUCCESS"
        assert f"CONNECT {upstream.host}" in log.read_text()
        if secret:
            wrong = {**proxy, "https_proxy": f"http://someone:wrong@{address}"}
            answer = mirror.ask("POST", "/test", {"external_registry_config": {"proxy": wrong}})
            assert answer.status_code == 400
            assert "the proxy wants another user and password" in answer.json()["detail"]
            assert "wrong" not in answer.text

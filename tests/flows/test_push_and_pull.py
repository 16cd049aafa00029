"""From sign-in to pull through the chalice app, as clients do it: request, challenge, token, repeated request."""

from __future__ import annotations

import base64
import json
import os
import re
from dataclasses import dataclass, field
from urllib.parse import urlencode

import pytest
import requests

from chalicelib.domain import media_types
from chalicelib.domain.digests import Digest
from chalicelib.domain.manifests import Manifest
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Role
from chalicelib.domain.repositories import Visibility
from tests.support import invariants
from tests.support.app_client import Answer, AppClient
from tests.support.builders import a_config, a_descriptor, a_manifest, an_actor_with_role, an_index, built, token_actor
from tests.support.rows import events

URL = "http://registry.test"


@dataclass
class Client:
    """A small Docker client: it has a name and a secret, or neither, and keeps the token of the last challenge."""

    app_client: AppClient
    name: str = ""
    secret: str = "password"
    token: str = ""
    challenges: list[dict[str, str]] = field(default_factory=list)

    def ask(self, method: str, target: str, body: bytes = b"", media_type: str = "") -> Answer:
        answer = self._send(method, target, body, media_type)
        if answer.status != 401:
            return answer
        challenge = dict(re.findall(r'(\w+)="([^"]*)"', answer.headers["www-authenticate"]))
        self.challenges.append(challenge)
        self.token = self._token(challenge)
        return self._send(method, target, body, media_type) if self.token else answer

    def _send(self, method: str, target: str, body: bytes, media_type: str) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= {"Content-Type": media_type} if media_type else {}
        return self.app_client.ask(method, target, headers, body)

    def _token(self, challenge: dict[str, str]) -> str:
        assert challenge["realm"] == f"{URL}/v2/auth"
        query: dict[str, str] = {name: challenge[name] for name in ("service", "scope") if name in challenge}
        pair = base64.b64encode(f"{self.name}:{self.secret}".encode()).decode()
        headers = {"Authorization": f"Basic {pair}"} if self.name else {}
        answer = self.app_client.ask("GET", "/v2/auth?" + urlencode(query), headers)
        return str(answer.json()["token"]) if answer.status == 200 else ""

    def push_blob(self, content: bytes, repository: str = "admin/app", chunks: int = 0) -> Digest:
        """Pushes a blob that a HEAD does not find, in one PUT or in so many chunks before it."""
        digest, path = built(content), f"/v2/{repository}/blobs"
        if self.ask("HEAD", f"{path}/{digest}").status == 307:
            return digest
        begun = self.ask("POST", f"{path}/uploads/")
        assert begun.status == 202, begun.body
        location, rest = begun.headers["location"], content
        for _ in range(chunks):
            chunk, rest = rest[:1000], rest[1000:]
            location = self.ask("PATCH", location, chunk).headers["location"]
        closed = self.ask("PUT", f"{location}?digest={digest}", rest)
        assert (closed.status, closed.headers["docker-content-digest"]) == (201, str(digest)), closed.body
        return digest

    def push(self, manifest: Manifest, reference: str = "v1", repository: str = "admin/app") -> Answer:
        return self.ask("PUT", f"/v2/{repository}/manifests/{reference}", manifest.content, manifest.media_type)

    def push_image(self, *tags: str, repository: str = "admin/app") -> Manifest:
        layers = [self.push_blob(os.urandom(5000), repository, chunks) for chunks in (0, 3)]
        manifest = a_manifest(layers, self.push_blob(a_config(), repository))
        for tag in tags:
            answer = self.push(manifest, tag, repository)
            assert answer.status == 201, answer.body
        return manifest

    def pull(self, reference: str = "v1", repository: str = "admin/app") -> list[bytes] | int:
        """Returns the verified bytes of all blobs of an image, or the status of a refusal."""
        found = self.ask("GET", f"/v2/{repository}/manifests/{reference}")
        if found.status != 200:
            return found.status
        digest = Digest.parse(found.headers["docker-content-digest"])
        assert digest.matches(found.body)
        document, blobs = json.loads(found.body), []
        for entry in [document["config"], *document["layers"]]:
            answer = self.ask("GET", f"/v2/{repository}/blobs/{entry['digest']}")
            assert answer.status == 307
            content = requests.get(answer.headers["location"], timeout=10).content
            assert Digest.parse(entry["digest"]).matches(content)
            blobs.append(content)
        return blobs


@pytest.fixture
def admin(app_client: AppClient) -> Client:
    return Client(app_client, "admin")


def make_public(app_client: AppClient, repository: str = "admin/app") -> None:
    name = RepositoryName.parse(repository)
    actor = token_actor(app_client.backend, name.namespace, repository)
    app_client.backend.services.registry.repositories.change_visibility(actor, name, Visibility.PUBLIC)


def test_a_login_is_a_challenge_a_token_and_a_success(app_client: AppClient, admin: Client) -> None:
    assert admin.ask("GET", "/v2/").status == 200
    assert admin.challenges == [{"realm": f"{URL}/v2/auth", "service": "registry.test"}]
    assert Client(app_client, "admin", "wrong").ask("GET", "/v2/").status == 401


def test_an_image_is_pushed_into_a_new_repository_and_pulled_unchanged(app_client: AppClient, admin: Client) -> None:
    manifest = admin.push_image("v1", "latest")
    by_tag, by_digest = admin.pull("latest"), admin.pull(str(manifest.digest))

    assert by_tag == by_digest
    assert isinstance(by_tag, list)
    assert len(by_tag) == 3
    assert admin.ask("GET", "/v2/admin/app/tags/list").json() == {"name": "admin/app", "tags": ["latest", "v1"]}
    assert admin.challenges[0]["scope"].startswith("repository:admin/app:")
    assert admin.ask("GET", "/v2/_catalog").json() == {"repositories": ["admin/app"]}
    invariants.check(app_client.backend)
    invariants.check_edges(app_client.backend)


def test_a_second_push_finds_the_blobs_of_the_first(app_client: AppClient, admin: Client) -> None:
    content = os.urandom(2000)
    admin.push_blob(content)
    app_client.backend.calls.take()
    admin.push_blob(content)

    assert "PutObject" not in app_client.backend.calls.take()


def test_an_index_of_two_platforms_is_pulled_platform_by_platform(app_client: AppClient, admin: Client) -> None:
    children = [admin.push_image(), admin.push_image()]
    for child in children:
        assert admin.push(child, str(child.digest)).status == 201
    index = an_index([child.digest for child in children])
    assert admin.push(index).status == 201
    found = admin.ask("GET", "/v2/admin/app/manifests/v1")

    assert found.headers["content-type"] == media_types.OCI_INDEX
    for entry in found.json()["manifests"]:
        assert isinstance(admin.pull(entry["digest"]), list)
    invariants.check(app_client.backend)


def test_only_its_owner_pulls_a_private_image_and_everybody_pulls_a_public_one(
    app_client: AppClient, admin: Client
) -> None:
    app_client.backend.user("bob")
    admin.push_image("v1")
    bob, nobody = Client(app_client, "bob"), Client(app_client)
    assert bob.pull() in (401, 403, 404)
    assert nobody.pull() in (401, 403, 404)
    assert bob.pull("missing") == bob.pull(repository="admin/none"), "denied and absent look alike"

    make_public(app_client)

    expected = admin.pull()
    assert bob.pull() == Client(app_client).pull() == expected
    assert app_client.ask("GET", "/v2/admin/app/manifests/v1").status == 200, "without any token"
    assert bob.push(a_manifest()).status in (401, 403)
    assert nobody.push(a_manifest()).status in (401, 403)


def test_a_robot_pushes_only_where_it_has_a_role(app_client: AppClient, admin: Client) -> None:
    admin.push_image("v1")
    admin.push_image("v1", repository="admin/other")
    _, secret = app_client.backend.robot("admin+ci")
    assert Client(app_client, "admin+ci", secret).pull() in (401, 403, 404)

    an_actor_with_role(app_client.backend, "admin+ci", Role.WRITE)
    robot = Client(app_client, "admin+ci", secret)
    manifest = robot.push_image("by-robot")

    assert admin.pull("by-robot") == robot.pull("by-robot")
    assert Client(app_client, "admin+ci", secret).pull(repository="admin/other") in (401, 403, 404)
    assert [row["performer"] for row in events(app_client.backend, "push_repo")][-1] == "admin+ci"
    assert robot.ask("DELETE", f"/v2/admin/app/manifests/{manifest.digest}").status == 202
    assert Client(app_client, "admin+ci", secret[:-1]).ask("GET", "/v2/").status == 401


def test_a_robot_with_the_role_read_pulls_and_cannot_push(app_client: AppClient, admin: Client) -> None:
    admin.push_image("v1")
    _, secret = app_client.backend.robot("admin+reader")
    an_actor_with_role(app_client.backend, "admin+reader", Role.READ)
    robot = Client(app_client, "admin+reader", secret)

    assert robot.pull() == admin.pull()
    assert robot.push(a_manifest()).status in (401, 403)
    assert robot.ask("POST", "/v2/admin/app/blobs/uploads/").status in (401, 403)
    assert robot.ask("DELETE", "/v2/admin/app/manifests/v1").status in (401, 403)
    assert isinstance(admin.pull(), list)


def test_nobody_pushes_into_another_users_namespace(app_client: AppClient, admin: Client) -> None:
    app_client.backend.user("bob")
    bob = Client(app_client, "bob")

    assert bob.ask("POST", "/v2/admin/new/blobs/uploads/").status in (401, 403, 404)
    assert isinstance(Client(app_client, "bob").push_image("v1", repository="bob/new"), Manifest)
    assert admin.pull(repository="bob/new") in (401, 403, 404)


def test_a_signature_is_attached_listed_and_deleted(app_client: AppClient, admin: Client) -> None:
    manifest = admin.push_image("v1")
    signature = a_manifest([admin.push_blob(b"signature")], subject=manifest.digest, artifactType="application/x.sig")
    answer = admin.push(signature, str(signature.digest))
    path = f"/v2/admin/app/referrers/{manifest.digest}"

    assert answer.headers["oci-subject"] == str(manifest.digest)
    (found,) = admin.ask("GET", path).json()["manifests"]
    assert (found["digest"], found["artifactType"]) == (str(signature.digest), "application/x.sig")
    assert admin.ask("DELETE", f"/v2/admin/app/manifests/{signature.digest}").status == 202
    assert admin.ask("GET", path).json()["manifests"] == []


def test_a_deleted_image_is_gone_until_it_is_pushed_again(app_client: AppClient, admin: Client) -> None:
    manifest = admin.push_image("v1", "v2")
    assert admin.ask("DELETE", f"/v2/admin/app/manifests/{manifest.digest}").status == 202
    assert [admin.pull(reference) for reference in ("v1", "v2", str(manifest.digest))] == [404] * 3
    assert admin.ask("GET", "/v2/admin/app/tags/list").json()["tags"] == []

    assert admin.push(manifest, "v2").status == 201

    assert isinstance(admin.pull("v2"), list)
    assert admin.pull("v1") == 404
    invariants.check(app_client.backend)


def test_a_layer_is_mounted_from_one_repository_into_another(app_client: AppClient, admin: Client) -> None:
    digest = admin.push_blob(b"base layer", "admin/base")
    answer = admin.ask("POST", f"/v2/admin/app/blobs/uploads/?mount={digest}&from=admin/base")
    if answer.status == 202:
        # The challenge's scope names the target only; clients request both repositories.
        admin.token = app_client.backend.token("admin", "admin/app", "admin/base")
        answer = admin.ask("POST", f"/v2/admin/app/blobs/uploads/?mount={digest}&from=admin/base")

    assert (answer.status, answer.headers["location"]) == (201, f"/v2/admin/app/blobs/{digest}")
    assert admin.push(a_manifest([digest], fields=[a_descriptor(digest)])).status == 201
    invariants.check(app_client.backend)

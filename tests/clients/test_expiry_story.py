"""The life of a tag with a label: it is pushed, listed, expires, is restored, and is deleted with its bytes.

The test has its own stack with short leases and addresses, uses it only over HTTP, and checks the bytes in S3.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
import requests

from infra.local import ports
from infra.local.environment import BUCKET, REGION
from infra.local.servers import endpoints
from tests.clients.callers import Person, fresh, person
from tests.clients.images import Layout, an_image
from tests.clients.registry import Registry
from tests.support.stack import Stack, wait_for

# The seconds of the label, and those in which the bytes must be deleted after the window.
LIVES_S, FREED_S = 5, 60


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that deletes unused bytes within a minute."""
    short = {"CLOUDBERTH_LEASE_S": "10", "CLOUDBERTH_GRACE_S": "20", "CLOUDBERTH_PRESIGN_S": "15"}
    started = Stack.start(tmp_path_factory.mktemp("quick"), **short)
    yield started
    started.stop()


@dataclass
class Story:
    """A user with a repository."""

    stack: Stack
    owner: Person
    registry: Registry
    repository: str

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Sends a request below the repository, which must succeed; returns the JSON."""
        answer = self.owner.ask(method, f"/api/v1/repository/{self.repository}/{path}", body)
        assert answer.status_code in (200, 201), answer.text
        return answer.json() if answer.content.startswith((b"{", b"[")) else None

    def tags(self, only_active: bool) -> list[dict[str, Any]]:
        """Returns the lives of tags, latest first."""
        found: list[dict[str, Any]] = self.ask("GET", f"tag/?onlyActiveTags={str(only_active).lower()}")["tags"]
        return found

    def refusal(self, tag: str) -> requests.Response:
        """Returns the response to a pull that must fail."""
        return self.registry.refused_manifest(self.repository, tag)

    def objects(self) -> list[str]:
        """Returns all keys in the bucket."""
        keys = json.loads((self.stack.data / "s3.json").read_text())["identities"][0]["credentials"][0]
        base = ports.read(self.stack.data / ports.FILE)
        assert base is not None
        client = boto3.client(
            "s3",
            endpoint_url=endpoints(base).objects,
            region_name=REGION,
            aws_access_key_id=keys["accessKey"],
            aws_secret_access_key=keys["secretKey"],
        )
        return [entry["Key"] for entry in client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


@pytest.fixture
def story(quick: Stack) -> Story:
    """A user who has just signed up, with a repository name."""
    owner = person(quick)
    registry = Registry(quick, owner.name, owner.password)
    return Story(quick, owner, registry, f"{owner.name}/{fresh('app')}")


def test_a_tag_expires_by_its_label_is_restored_and_is_deleted_with_its_bytes(story: Story, layout: Layout) -> None:
    image = an_image(layout, "expires", labels={"quay.expires-after": f"{LIVES_S}s"})
    digest = image["digest"]
    story.registry.push(layout, image, story.repository, "v1")

    (alive,) = story.tags(only_active=True)
    assert (alive["name"], alive["manifest_digest"]) == ("v1", digest)
    assert alive["end_ts"] - alive["start_ts"] == LIVES_S
    assert alive["expiration"]
    assert story.registry.manifest(story.repository, "v1").content == layout.read(image)

    time.sleep(max(alive["end_ts"] - time.time(), 0))
    refused = story.refusal("v1")
    assert refused.status_code == 404
    assert "revive via time machine" in refused.json()["errors"][0]["message"]
    assert story.tags(only_active=True) == []
    (dead,) = story.tags(only_active=False)
    assert (dead["name"], dead["manifest_digest"], dead["end_ts"]) == ("v1", digest, alive["end_ts"])

    story.ask("POST", "tag/v1/restore", {"manifest_digest": digest})
    assert story.registry.manifest(story.repository, "v1").content == layout.read(image)
    story.ask("PUT", "tag/v1", {"expiration": None})
    (restored,) = story.tags(only_active=True)
    assert restored["reversion"] is True
    assert "end_ts" not in restored

    done = story.owner.put("/api/v1/user/", {"tag_expiration_s": 0})
    assert done.status_code == 200, done.text
    assert story.objects()
    story.ask("POST", "tag/v1/expire", {"manifest_digest": digest, "is_alive": True})
    assert "no manifest" in story.refusal("v1").json()["errors"][0]["message"]
    wait_for(lambda: not story.objects(), "the deletion of the bytes", FREED_S)
    assert not story.registry.knows(story.repository, digest)

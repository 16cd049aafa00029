"""Pull counts over the API."""

from collections.abc import Callable

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.repositories import Visibility
from chalicelib.edge.api.framework.shapes import date
from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.builders import push_image, token_actor
from tests.support.rows import events

PLACE = "/repository/admin/app"
NAME = RepositoryName.parse("admin/app")


def pull(app_client: AppClient, reference: Tag | Digest) -> None:
    app_client.backend.services.registry.manifests.pull(
        token_actor(app_client.backend, "admin", "admin/app"), NAME, reference
    )


def test_zero_pulls_are_shown_as_quay_does(admin: ApiClient, app_client: AppClient) -> None:
    digest = str(push_image(app_client.backend, "v1").digest)

    assert admin.get(f"{PLACE}/tag/v1/pull_statistics").json() == {
        "tag_name": "v1",
        "tag_pull_count": 0,
        "last_tag_pull_date": None,
        "current_manifest_digest": digest,
        "manifest_pull_count": 0,
        "last_manifest_pull_date": None,
    }
    assert admin.get(f"{PLACE}/manifest/{digest}/pull_statistics").json() == {
        "manifest_digest": digest,
        "manifest_pull_count": 0,
        "last_manifest_pull_date": None,
    }


def test_pulls_are_counted_at_once_with_the_time_of_the_last(admin: ApiClient, app_client: AppClient) -> None:
    digest = push_image(app_client.backend, "v1", "v2").digest
    for reference in (Tag("v1"), Tag("v2"), digest):
        pull(app_client, reference)
    tag = admin.get(f"{PLACE}/tag/v1/pull_statistics").json()
    manifest = admin.get(f"{PLACE}/manifest/{digest}/pull_statistics").json()

    assert (tag["tag_pull_count"], tag["manifest_pull_count"], manifest["manifest_pull_count"]) == (1, 3, 3)
    assert tag["last_manifest_pull_date"] == manifest["last_manifest_pull_date"]
    moments = {date(row["at"]) for row in events(app_client.backend, "pull_repo")}
    assert {tag["last_tag_pull_date"], tag["last_manifest_pull_date"]} <= moments


@pytest.mark.parametrize(
    "path", ["/tag/v2", "/tag/" + "x" * 2000, f"/manifest/sha256:{'0' * 64}", "/manifest/v1", "/manifest/sha256:x"]
)
def test_an_unknown_tag_or_manifest_is_not_found(admin: ApiClient, app_client: AppClient, path: str) -> None:
    push_image(app_client.backend, "v1")
    answer = admin.get(f"{PLACE}{path}/pull_statistics")

    assert (answer.status, answer.json()["error_type"]) == (404, "not_found")


def test_a_public_repository_needs_a_role_as_well(
    admin: ApiClient, stranger: ApiClient, visit: Callable[[str], ApiClient], app_client: AppClient
) -> None:
    digest = push_image(app_client.backend, "v1").digest
    app_client.backend.services.registry.repositories.change_visibility(
        app_client.backend.signed_in("admin"), NAME, Visibility.PUBLIC
    )

    for path in ("/tag/v1", f"/manifest/{digest}"):
        assert [who.get(f"{PLACE}{path}/pull_statistics").status for who in (admin, stranger, visit("bob"))] == [
            200,
            401,
            403,
        ]


def test_the_feature_is_reported_as_on(stranger: ApiClient) -> None:
    assert stranger.get("//config").json()["features"]["IMAGE_PULL_STATS"] is True

"""The retention of tags and previews of policies over the API."""

import pytest

from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.builders import a_manifest, an_organization, push_image, push_manifest

RETENTION = "/repository/admin/app/tag/v1/retention"
PREVIEWS = ("/repository/admin/app/autoprunepolicy/preview", "/user/autoprunepolicy/preview")


def test_a_tag_that_ends_shows_when_and_what_it_frees(admin: ApiClient, app_client: AppClient) -> None:
    manifest = push_image(app_client.backend, "v1", labels={"quay.expires-after": "2h"})
    admin.post("/user/autoprunepolicy", {"method": "creation_date", "value": "1h"})
    document = admin.get(RETENTION).json()

    started_at = document["expires_at"] - 7200
    assert document["ends_at"] == started_at + 3600
    assert (document["cause"], document["freed_at"]) == ("policy", document["ends_at"] + document["time_machine_s"])
    assert (document["name"], document["manifest_digest"], document["immutable"]) == ("v1", str(manifest.digest), False)
    assert document["manifests"] == [{"digest": str(manifest.digest), "size": manifest.size}]
    assert {blob["digest"] for blob in document["blobs"]} == {str(blob.digest) for blob in manifest.blobs}
    assert document["bytes"] == manifest.size + sum(blob["size"] for blob in document["blobs"])
    assert document["is_whole"] is True
    (policy,) = document["policies"]
    assert (policy["level"], policy["value"], policy["prunes_at"]) == ("namespace", "1h", document["ends_at"])


def test_a_tag_that_stays_shows_what_its_deletion_would_free(admin: ApiClient, app_client: AppClient) -> None:
    push_manifest(app_client.backend, a_manifest(), "v1")
    document = admin.get(RETENTION).json()

    assert [document[name] for name in ("expires_at", "ends_at", "cause", "freed_at")] == [None] * 4
    assert admin.get("/repository/admin/app/tag/none/retention").status == 404


def test_a_deleted_tag_shows_since_when_the_time_machine_keeps_it_and_until_when(
    admin: ApiClient, app_client: AppClient
) -> None:
    manifest = push_manifest(app_client.backend, a_manifest(), "v1")
    admin.delete("/repository/admin/app/tag/v1")
    (life,) = admin.get("/repository/admin/app/tag/?specificTag=v1").json()["tags"]
    document = admin.get(RETENTION).json()

    assert (document["ends_at"], document["cause"], document["expires_at"]) == (life["end_ts"], "deletion", None)
    assert document["freed_at"] == life["end_ts"] + document["time_machine_s"]
    assert document["manifests"] == [{"digest": str(manifest.digest), "size": manifest.size}]


@pytest.mark.parametrize("place", PREVIEWS)
def test_a_preview_lists_the_tags_that_a_policy_would_prune(
    admin: ApiClient, app_client: AppClient, place: str
) -> None:
    for tag in ("v1", "latest", "v2"):
        push_image(app_client.backend, tag)
    document = admin.get(f"{place}?method=number_of_tags&value=1&tagPattern=v.*").json()
    assert [(tag["repository"], tag["name"]) for tag in document["tags"]] == [("admin/app", "v1")]
    assert (document["manifests"], document["blobs"], document["is_whole"]) == (1, 2, True)
    assert document["bytes"] > 0
    assert "next_page" not in document
    document = admin.get(f"{place}?method=number_of_tags&value=1&tagPattern=v.*&tagPatternMatches=false").json()
    assert document["tags"] == []
    assert admin.get(f"{place}?method=creation_date&value=1w").json()["tags"] == []
    assert admin.get("/user/autoprunepolicy").json() == {"policies": []}


def test_a_preview_covers_the_repositories_of_an_organization(admin: ApiClient, app_client: AppClient) -> None:
    an_organization(app_client.backend)

    assert admin.get("/organization/acme/autoprunepolicy/preview?method=number_of_tags&value=1").json()["tags"] == []


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("", "Invalid method provided"),
        ("?method=number_of_tags", "Invalid value given for method type"),
        ("?method=number_of_tags&value=x", "Invalid value given for method type"),
        ("?method=number_of_tags&value=" + "9" * 5000, "Invalid value given for method type"),
        ("?method=creation_date&value=7", "Invalid value given for method type"),
        ("?method=number_of_tags&value=1&tagPattern=%28", "Invalid regex pattern"),
    ],
)
@pytest.mark.parametrize("place", PREVIEWS)
def test_invalid_input_is_refused_with_a_reason(
    admin: ApiClient, app_client: AppClient, place: str, query: str, why: str
) -> None:
    push_manifest(app_client.backend, a_manifest(), "v1")
    refused = admin.get(place + query)

    assert refused.status == 400
    assert why in refused.json()["detail"]


def test_anonymous_callers_are_refused(stranger: ApiClient, app_client: AppClient) -> None:
    push_manifest(app_client.backend, a_manifest(), "v1")

    assert stranger.get(RETENTION).status == 401
    assert stranger.get("/repository/admin/none/tag/v1/retention").status == 401
    assert stranger.get(PREVIEWS[0] + "?method=number_of_tags&value=1").status == 401

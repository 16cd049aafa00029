"""Fates of tags over the API, and previews of policies."""

import pytest

from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.builders import a_manifest, an_organization, push_image, push_manifest

FATE = "/repository/admin/app/tag/v1/retention"
PREVIEWS = ("/repository/admin/app/autoprunepolicy/preview", "/user/autoprunepolicy/preview")


def test_the_fate_of_a_tag(admin: ApiClient, app_client: AppClient) -> None:
    manifest = push_image(app_client.backend, "v1", labels={"quay.expires-after": "2h"})
    admin.post("/user/autoprunepolicy", {"method": "creation_date", "value": "1h"})
    shown = admin.get(FATE).json()

    started_at = shown["expires_at"] - 7200
    assert shown["ends_at"] == started_at + 3600
    assert (shown["cause"], shown["freed_at"]) == ("policy", shown["ends_at"] + shown["time_machine_s"])
    assert (shown["name"], shown["manifest_digest"], shown["immutable"]) == ("v1", str(manifest.digest), False)
    assert shown["manifests"] == [{"digest": str(manifest.digest), "size": manifest.size}]
    assert {blob["digest"] for blob in shown["blobs"]} == {str(blob.digest) for blob in manifest.blobs}
    assert shown["bytes"] == manifest.size + sum(blob["size"] for blob in shown["blobs"])
    assert shown["is_whole"] is True
    (policy,) = shown["policies"]
    assert (policy["level"], policy["value"], policy["prunes_at"]) == ("namespace", "1h", shown["ends_at"])


def test_a_tag_that_stays(admin: ApiClient, app_client: AppClient) -> None:
    push_manifest(app_client.backend, a_manifest(), "v1")
    shown = admin.get(FATE).json()

    assert [shown[name] for name in ("expires_at", "ends_at", "cause", "freed_at")] == [None] * 4
    assert admin.get("/repository/admin/app/tag/none/retention").status == 404


@pytest.mark.parametrize("place", PREVIEWS)
def test_the_preview_of_a_policy(admin: ApiClient, app_client: AppClient, place: str) -> None:
    for tag in ("v1", "latest", "v2"):
        push_image(app_client.backend, tag)
    shown = admin.get(f"{place}?method=number_of_tags&value=1&tagPattern=v.*").json()
    assert [(tag["repository"], tag["name"]) for tag in shown["tags"]] == [("admin/app", "v1")]
    assert (shown["manifests"], shown["blobs"], shown["is_whole"]) == (1, 2, True)
    assert shown["bytes"] > 0
    assert "next_page" not in shown
    shown = admin.get(f"{place}?method=number_of_tags&value=1&tagPattern=v.*&tagPatternMatches=false").json()
    assert shown["tags"] == []
    assert admin.get(f"{place}?method=creation_date&value=1w").json()["tags"] == []
    assert admin.get("/user/autoprunepolicy").json() == {"policies": []}


def test_an_organization_s_too(admin: ApiClient, app_client: AppClient) -> None:
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
def test_bad_input_is_told(admin: ApiClient, app_client: AppClient, place: str, query: str, why: str) -> None:
    push_manifest(app_client.backend, a_manifest(), "v1")
    refused = admin.get(place + query)

    assert refused.status == 400
    assert why in refused.json()["detail"]


def test_strangers_are_told_nothing(stranger: ApiClient, app_client: AppClient) -> None:
    push_manifest(app_client.backend, a_manifest(), "v1")

    assert stranger.get(FATE).status == 403
    assert stranger.get("/repository/admin/none/tag/v1/retention").status == 403
    assert stranger.get(PREVIEWS[0] + "?method=number_of_tags&value=1").status == 403

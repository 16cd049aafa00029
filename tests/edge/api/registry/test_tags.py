"""Tags over the API."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.builders import an_index, push_image, push_manifest

TAGS = "/repository/admin/app/tag"


def listed(api_client: ApiClient, query: str = "") -> list[dict[str, Any]]:
    tags: list[dict[str, Any]] = api_client.get(f"{TAGS}/{query}").json()["tags"]
    return tags


def test_a_tag_is_listed_as_in_quay(admin: ApiClient, app_client: AppClient) -> None:
    manifest = push_image(app_client.backend, "v1")
    answer = admin.get(TAGS + "/").json()
    (tag,) = answer["tags"]

    assert (answer["page"], answer["has_additional"]) == (1, False)
    assert tag["last_modified"].endswith(" -0000")
    del tag["last_modified"], tag["start_ts"]
    assert tag == {
        "name": "v1",
        "reversion": False,
        "immutable": False,
        "manifest_digest": str(manifest.digest),
        "is_manifest_list": False,
        "size": 64,
        "image_id": manifest.digest.hex,
        "docker_image_id": manifest.digest.hex,
    }


def test_an_index_is_listed_with_its_children(admin: ApiClient, app_client: AppClient) -> None:
    child = push_image(app_client.backend)
    push_manifest(app_client.backend, an_index([child.digest]), "multi")
    (tag,) = listed(admin)

    assert (tag["is_manifest_list"], tag["size"], tag["is_sparse"]) == (True, None, False)
    assert (tag["child_manifest_count"], tag["present_child_count"]) == (1, 1)
    assert tag["child_manifests_presence"] == {str(child.digest): True}


def test_a_list_has_pages_limits_and_filters(admin: ApiClient, app_client: AppClient) -> None:
    for tag in ("a", "b", "c"):
        push_image(app_client.backend, tag)

    first = admin.get(TAGS + "/?limit=2").json()
    assert ([tag["name"] for tag in first["tags"]], first["has_additional"]) == (["c", "b"], True)
    assert [tag["name"] for tag in listed(admin, "?limit=2&page=2")] == ["a"]
    assert [tag["name"] for tag in listed(admin, f"?limit=2&next_page={first['next_page']}")] == ["a"]
    assert len(listed(admin, "?limit=0")) == 1
    assert len(listed(admin, "?limit=1000&page=-1")) == 3
    assert [tag["name"] for tag in listed(admin, "?filter_tag_name=eq:b")] == ["b"]
    too_far = admin.get(TAGS + "/?limit=100&page=41")
    message = str(too_far.json())
    assert (too_far.status, "4,000" in message, "next_page" in message) == (400, True, True)
    assert admin.get(TAGS + "/?limit=100&page=40").json()["has_additional"] is False
    assert [tag["name"] for tag in listed(admin, "?specificTag=a")] == ["a"]
    page = admin.get(TAGS + "/?limit=1").json()
    for number in (2, 9999):
        following = listed(admin, f"?limit=1&page={number}&next_page={page['next_page']}")
        assert [tag["name"] for tag in following] == ["b"], "the token says where to go on, whatever the number"
    for query in ("?limit=abc", "?filter_tag_name=nonsense", "?page=x"):
        assert admin.get(f"{TAGS}/{query}").status == 400


def test_a_tag_s_expiration_is_set_and_listed(admin: ApiClient, app_client: AppClient) -> None:
    push_image(app_client.backend, "v1")
    end = int(app_client.backend.clock()) + 7200

    assert admin.put(f"{TAGS}/v1", {"expiration": end}).status == 201
    (tag,) = listed(admin)
    assert tag["end_ts"] == end
    assert tag["expiration"].endswith(" -0000")
    assert admin.put(f"{TAGS}/v1", {"expiration": None}).json() == "Updated"
    assert "end_ts" not in listed(admin)[0]


@pytest.mark.parametrize(
    "body", [{"expiration": 5}, {"expiration": "soon"}, {"expiration": -1}, {"immutable": 1}, [], 7]
)
def test_an_invalid_change_is_refused(admin: ApiClient, app_client: AppClient, body: object) -> None:
    push_image(app_client.backend, "v1")

    assert admin.put(f"{TAGS}/v1", body).status == 400


def test_a_tag_is_moved_deleted_restored_and_expired(admin: ApiClient, app_client: AppClient) -> None:
    manifest = push_image(app_client.backend, "v1")
    digest = str(manifest.digest)

    assert admin.put(f"{TAGS}/copy", {"manifest_digest": digest}).status == 201
    assert admin.put(f"{TAGS}/copy", {}).status == 201
    assert admin.delete(f"{TAGS}/copy").status == 204
    assert admin.delete(f"{TAGS}/copy").status == 404
    assert admin.post(f"{TAGS}/copy/restore", {}).json()["detail"] == "Missing manifest_digest"
    assert admin.post(f"{TAGS}/copy/restore", {"manifest_digest": digest}).json() == {}
    assert admin.post(f"{TAGS}/copy/restore", {"manifest_digest": "nonsense"}).status == 404
    assert [tag["reversion"] for tag in listed(admin, "?specificTag=copy")] == [True, False]
    forget = {"manifest_digest": digest, "is_alive": True, "include_submanifests": False}
    assert admin.post(f"{TAGS}/copy/expire", forget).json() == ""
    assert admin.post(f"{TAGS}/copy/expire", {}).status == 400
    assert admin.put(f"{TAGS}/bad!tag", {"manifest_digest": digest}).status == 400


def test_an_immutable_tag_is_a_conflict(admin: ApiClient, app_client: AppClient) -> None:
    push_image(app_client.backend, "v1")
    assert admin.put(f"{TAGS}/v1", {"immutable": True}).status == 201
    refused = admin.delete(f"{TAGS}/v1")

    assert (refused.status, refused.json()["error_type"]) == (409, "tag_immutable")
    assert listed(admin)[0]["immutable"] is True


def test_other_callers_are_refused(
    stranger: ApiClient, visit: Callable[[str], ApiClient], app_client: AppClient
) -> None:
    push_image(app_client.backend, "v1")
    bob = visit("bob")

    assert stranger.get(TAGS).status == 401
    assert bob.get(TAGS).status == 403
    assert bob.delete(f"{TAGS}/v1").status == 403
    assert stranger.delete(f"{TAGS}/v1").status in (401, 403)

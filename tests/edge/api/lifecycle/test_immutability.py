"""Immutability policies over the API, as a running Quay answered."""

import pytest

from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.builders import a_manifest, a_repository, an_organization, push_manifest
from tests.support.sweeping import sweep

RELEASES = {"tagPattern": "release-.*"}
PLACES = ("/organization/acme/immutabilitypolicy", "/repository/admin/app/immutabilitypolicy")


@pytest.fixture(autouse=True)
def _places(app_client: AppClient) -> None:
    an_organization(app_client.backend)
    a_repository(app_client.backend)


@pytest.mark.parametrize("place", PLACES)
def test_policies_are_created_read_changed_and_removed_as_in_quay(
    admin: ApiClient, stranger: ApiClient, place: str
) -> None:
    assert admin.get(f"{place}/").json() == {"policies": []}
    creation = admin.post(f"{place}/", RELEASES)
    assert (creation.status, list(creation.json())) == (201, ["uuid"])
    one = f"{place}/{creation.json()['uuid']}"
    again = admin.post(f"{place}/", RELEASES)
    assert (again.status, again.json()["detail"]) == (400, "A policy with the same tag_pattern already exists")
    assert admin.post(f"{place}/", {"tagPattern": "v[0-9]+", "tagPatternMatches": False}).status == 201

    document = {"uuid": creation.json()["uuid"], **RELEASES, "tagPatternMatches": True}
    assert admin.get(one).json() == document
    assert document in admin.get(f"{place}/").json()["policies"]
    changed = admin.put(one, {"tagPattern": "rel-.*"})
    assert (changed.status, changed.body) == (204, b"")
    for answer in (admin.get(f"{place}/nowhere"), admin.put(f"{place}/nowhere", RELEASES)):
        assert (answer.status, answer.json()["detail"]) == (404, "Not Found")
    refused = stranger.get(f"{place}/")
    assert (refused.status, refused.json()["error_type"]) == (401, "invalid_token")
    removal = admin.delete(one)
    assert (removal.status, removal.json()) == (200, {"uuid": creation.json()["uuid"]})
    assert admin.delete(one).status == 404


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"tagPattern": "("}, "Invalid regex pattern: missing ): ("),
        ({"tagPattern": ""}, "tag_pattern is required and must be a non-empty string"),
        ({"tagPattern": "x" * 300}, "tag_pattern must be 256 characters or less"),
        ({}, "tagPattern"),
        ({"tagPattern": 5}, "tagPattern"),
        ({"tagPattern": "v", "tagPatternMatches": 1}, "tagPatternMatches"),
    ],
)
def test_invalid_input_is_refused_with_a_reason(admin: ApiClient, place: str, body: object, why: str) -> None:
    refused = admin.post(place, body)

    assert (refused.status, refused.json()["error_type"]) == (400, "invalid_request")
    assert why in refused.json()["detail"]


def test_tags_are_shown_as_immutable(admin: ApiClient, app_client: AppClient) -> None:
    push_manifest(app_client.backend, a_manifest(), "release-1", "latest")
    admin.post(PLACES[1], RELEASES)
    sweep(app_client.backend)

    document = admin.get("/repository/admin/app/tag/").json()["tags"]
    assert {tag["name"]: tag["immutable"] for tag in document} == {"release-1": True, "latest": False}
    assert admin.delete("/repository/admin/app/tag/release-1").status == 409

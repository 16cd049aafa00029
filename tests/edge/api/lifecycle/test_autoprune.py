"""Auto-prune policies over the API, as a running Quay answered."""

import pytest

from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.builders import a_repository, an_organization

TEN = {"method": "number_of_tags", "value": 10}
PLACES = ("/organization/acme/autoprunepolicy", "/repository/admin/app/autoprunepolicy", "/user/autoprunepolicy")


@pytest.fixture(autouse=True)
def _places(app_client: AppClient) -> None:
    an_organization(app_client.backend)
    a_repository(app_client.backend)


@pytest.mark.parametrize("place", PLACES)
def test_policies_are_created_read_changed_and_removed_as_in_quay(admin: ApiClient, place: str) -> None:
    assert admin.get(f"{place}/").json() == {"policies": []}
    creation = admin.post(f"{place}/", TEN)
    assert (creation.status, list(creation.json())) == (201, ["uuid"])
    one = f"{place}/{creation.json()['uuid']}"
    again = admin.post(f"{place}/", TEN)
    assert (again.status, again.json()["error_type"]) == (400, "invalid_request")
    assert again.json()["detail"].endswith("duplicate policies are not permitted")
    assert admin.post(f"{place}/", {"method": "creation_date", "value": "7d"}).status == 201
    others = {"method": "number_of_tags", "value": 5, "tagPattern": "v.*", "tagPatternMatches": False}
    assert admin.post(f"{place}/", others).status == 201

    document = {"uuid": creation.json()["uuid"], **TEN, "tagPattern": None, "tagPatternMatches": True}
    assert admin.get(one).json() == document
    listed = admin.get(f"{place}/").json()["policies"]
    assert document in listed
    assert [{**policy, "uuid": ""} for policy in listed if policy["value"] == 5] == [{"uuid": "", **others}]
    assert len(listed) == 3

    changed = admin.put(one, {"method": "number_of_tags", "value": 20})
    assert (changed.status, changed.body) == (204, b"")
    assert admin.get(one).json()["value"] == 20
    for answer in (admin.get(f"{place}/nowhere"), admin.put(f"{place}/nowhere", TEN)):
        assert (answer.status, answer.json()["detail"]) == (404, "Not Found")
    removal = admin.delete(one)
    assert (removal.status, removal.json()) == (200, {"uuid": creation.json()["uuid"]})
    assert admin.delete(one).status == 404


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"method": "number_of_tags", "value": 0}, "Invalid value given for method type"),
        ({"method": "number_of_tags", "value": -1}, "Invalid value given for method type"),
        ({"method": "number_of_tags", "value": "7d"}, "Invalid value given for method type"),
        ({"method": "creation_date", "value": "soon"}, "Invalid value given for method type"),
        ({"method": "creation_date", "value": 7}, "Invalid value given for method type"),
        ({"method": "nonsense", "value": 1}, "Invalid method provided"),
        ({"method": "number_of_tags"}, "value"),
        ({}, "method"),
        ({**TEN, "tagPattern": "("}, "Invalid regex pattern: missing ): ("),
        ({**TEN, "tagPattern": 5}, "tagPattern"),
        ({**TEN, "tagPatternMatches": "yes"}, "tagPatternMatches"),
        ({**TEN, "tagPattern": "x" * 257}, "tag_pattern must be 256 characters or less"),
    ],
)
def test_invalid_input_is_refused_with_a_reason(admin: ApiClient, place: str, body: object, why: str) -> None:
    refused = admin.post(place, body)

    assert (refused.status, refused.json()["error_type"]) == (400, "invalid_request")
    assert why in refused.json()["detail"]


def test_null_counts_as_left_out(admin: ApiClient) -> None:
    creation = admin.post(PLACES[0], {**TEN, "tagPattern": None, "tagPatternMatches": None})

    document = admin.get(f"{PLACES[0]}/{creation.json()['uuid']}").json()
    assert (document["tagPattern"], document["tagPatternMatches"]) == (None, True)

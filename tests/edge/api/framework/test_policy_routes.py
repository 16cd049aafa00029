"""Policies of any kind over the API: the same routes at every place, and no kind appears as another."""

import pytest

from chalicelib.edge.api.lifecycle import autoprune, immutability
from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.builders import a_repository, an_organization

KINDS = {autoprune: 3, immutability: 2}
PLACES = ("/organization/acme", "/repository/admin/app")


@pytest.fixture(autouse=True)
def _places(app_client: AppClient) -> None:
    an_organization(app_client.backend)
    a_repository(app_client.backend)


@pytest.mark.parametrize(("kind", "places"), KINDS.items())
def test_each_place_has_five_described_routes_with_one_scope(kind: object, places: int) -> None:
    declared = kind.operations.declared  # type: ignore[attr-defined]
    routes: dict[tuple[str, str], list[str]] = {}
    for one in declared:
        root = one.path.removesuffix("/{policy_uuid}")
        routes.setdefault((root, one.scope), []).append(one.method)

    assert list(routes.values()) == [["GET", "POST", "GET", "PUT", "DELETE"]] * places
    assert all(one.about for one in declared)
    assert len({one.about for one in declared}) == len(declared)


@pytest.mark.parametrize("place", PLACES)
def test_a_policy_of_one_kind_is_not_found_as_another_kind(admin: ApiClient, place: str) -> None:
    fixed, pruned = f"{place}/immutabilitypolicy", f"{place}/autoprunepolicy"
    uuid = admin.post(pruned, {"method": "number_of_tags", "value": 3}).json()["uuid"]

    assert admin.get(fixed).json() == {"policies": []}
    assert admin.get(f"{fixed}/{uuid}").status == 404
    assert admin.put(f"{fixed}/{uuid}", {"tagPattern": "v.*"}).status == 404
    assert admin.delete(f"{fixed}/{uuid}").status == 404
    assert admin.get(f"{pruned}/{uuid}").json()["value"] == 3


def test_an_unknown_holder_is_refused(admin: ApiClient) -> None:
    for place in ("/organization/nowhere", "/repository/admin/nothing"):
        assert admin.get(f"{place}/autoprunepolicy").status in (403, 404)

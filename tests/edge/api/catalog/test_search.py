"""Search over the API."""

from collections.abc import Callable

import pytest

from chalicelib.domain.teams import TeamRole
from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.builders import a_repository, a_team, an_organization


@pytest.fixture(autouse=True)
def _there(app_client: AppClient, admin: ApiClient) -> None:
    app_client.backend.services.accounts.organizations.create(app_client.backend.signed_in("admin"), "acme")
    for name, visibility in (("web", "public"), ("web-back", "private")):
        body = {"namespace": "acme", "repository": name, "visibility": visibility, "description": "Of the web"}
        assert admin.post("/repository", body).status == 201


def test_repositories_are_found_in_the_shape_of_quay_s(admin: ApiClient, stranger: ApiClient) -> None:
    answer = stranger.get("/find/repositories?query=web").json()

    (hit,) = answer.pop("results")
    assert answer == {"has_additional": False, "page": 1, "page_size": 10, "start_index": 0}
    owner = hit.pop("namespace")
    assert (owner["kind"], owner["title"], owner["name"]) == ("organization", "org", "acme")
    assert hit == {
        "kind": "repository",
        "title": "repo",
        "name": "web",
        "description": "Of the web",
        "is_public": True,
        "score": 4.0,
        "href": "/repository/acme/web",
        "last_modified": None,
    }
    assert len(admin.get("/find/repositories?query=web").json()["results"]) == 2
    assert admin.get("/find/repositories?query=web&page=2").json()["start_index"] == 10
    assert admin.get("/find/repositories").json()["results"] == []
    assert admin.get("/find/repositories?query=web&page=x").status == 400


def test_everything_is_found_ordered_by_score(admin: ApiClient, stranger: ApiClient) -> None:
    results = admin.get("/find/all?query=acme").json()["results"]

    assert [(one["kind"], one["name"]) for one in results] == [("organization", "acme")]
    assert [one["kind"] for one in admin.get("/find/all?query=web").json()["results"]] == ["repository"] * 2
    assert len(stranger.get("/find/all?query=web").json()["results"]) == 1
    assert admin.get("/find/all").json() == {"results": []}


def test_entities_have_the_kinds_of_quay_s(
    app_client: AppClient, admin: ApiClient, stranger: ApiClient, visit: Callable[[str], ApiClient]
) -> None:
    admin.put("/organization/acme/robots/adder", {})
    a_team(app_client.backend, "adders", TeamRole.MEMBER)

    results = admin.get("/entities/ad?namespace=acme&includeTeams=true").json()["results"]
    assert [(one["name"], one["kind"], one.get("is_robot"), one["is_org_member"]) for one in results] == [
        ("adders", "team", None, True),
        ("acme+adder", "user", True, True),
        ("admin", "user", False, True),
    ]
    (organization,) = admin.get("/entities/acm?namespace=acme&includeOrgs=true").json()["results"][-1:]
    assert (organization["name"], organization["kind"]) == ("acme", "org")
    assert stranger.get("/entities/admin").status in (401, 403)
    ((user,),) = (visit("bob").get("/entities/ad?namespace=acme&includeTeams=true").json()["results"],)
    assert set(user) == {"name", "kind", "avatar", "is_robot"}


@pytest.mark.parametrize("text", ["%23", "a%2Bb", "%E2%98%83", "x" * 3000])
def test_any_text_may_be_searched_for(admin: ApiClient, app_client: AppClient, text: str) -> None:
    an_organization(app_client.backend, "other")
    a_repository(app_client.backend)

    for path in (f"/find/all?query={text}", f"/find/repositories?query={text}", f"/entities/{text}?namespace={text}"):
        assert admin.get(path).status == 200

"""Teams over the API, in the order in which a running Quay was asked."""

from collections.abc import Callable

import pytest

from chalicelib.domain.teams import TeamRole
from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.builders import a_team, an_organization, an_organization_repository

DEVS = "/organization/acme/team/devs"


@pytest.fixture
def alice(app_client: AppClient, visit: Callable[[str], ApiClient]) -> ApiClient:
    """Returns the owner of acme, who is not a superuser."""
    api_client: ApiClient = visit("alice")
    an_organization(app_client.backend, owner="alice")
    visit("bob")
    return api_client


def test_a_team_is_created_and_its_role_is_changed(alice: ApiClient) -> None:
    created = alice.put(DEVS, {"role": "member", "description": "developers"})
    assert created.status == 200
    assert created.json() == {
        "name": "devs",
        "description": "developers",
        "can_view": True,
        "role": "member",
        "avatar": created.json()["avatar"],
        "new_team": True,
    }
    again = alice.put(DEVS, {"role": "creator", "description": "may create"}).json()
    assert (again["role"], again["description"], again["new_team"]) == ("creator", "may create", False)


@pytest.mark.parametrize("body", [{}, {"role": "king"}, {"role": 5}, {"role": "member", "description": 5}, []])
def test_an_invalid_team_is_refused(alice: ApiClient, body: object) -> None:
    refused = alice.put(DEVS, body)

    assert (refused.status, refused.json()["error_type"]) == (400, "invalid_request")


def test_an_invalid_name_is_refused(alice: ApiClient) -> None:
    refused = alice.put("/organization/acme/team/Bad-Team!", {"role": "member"})

    assert (refused.status, refused.json()["message"][:27]) == (400, "Invalid team name Bad-Team!")


def test_members_are_added_listed_and_removed_in_quay_s_words(alice: ApiClient) -> None:
    alice.put(DEVS, {"role": "member"})
    assert alice.get(DEVS + "/members").json() == {"name": "devs", "members": [], "can_edit": True}
    added = alice.put(DEVS + "/members/bob", {})
    assert added.status == 200
    assert added.json() == {
        "name": "bob",
        "kind": "user",
        "is_robot": False,
        "avatar": added.json()["avatar"],
        "invited": False,
    }
    again = alice.put(DEVS + "/members/bob")
    assert (again.status, again.json()["message"]) == (400, "User bob is already a member of team devs")
    unknown = alice.put(DEVS + "/members/nobody", {})
    assert (unknown.status, unknown.json()["detail"]) == (400, "Unknown user")
    assert alice.put("/organization/acme/team/none/members/bob").status == 404
    assert alice.get(DEVS + "/members?includePending=true").json()["members"] == [added.json()]
    assert alice.delete(DEVS + "/members/bob").status == 204
    removal = alice.delete(DEVS + "/members/bob")
    assert (removal.status, removal.json()["message"]) == (400, "User bob does not belong to team devs")
    assert alice.delete(DEVS + "/members/nobody").status == 404
    assert alice.delete(DEVS + "/members/acme%2Bnobody").status == 404
    assert alice.get("/organization/acme/team/none/members").status == 404


def test_a_robot_in_a_team_is_shown_as_a_user(alice: ApiClient) -> None:
    alice.put("/organization/acme/robots/ci", {})
    alice.put(DEVS, {"role": "member"})

    member = alice.put(DEVS + "/members/acme%2Bci").json()
    assert (member["name"], member["kind"], member["is_robot"]) == ("acme+ci", "user", True)
    assert alice.get(DEVS + "/members").json()["members"] == [member]
    assert alice.delete(DEVS + "/members/acme+ci").status == 204


def test_invitations_are_refused(alice: ApiClient, stranger: ApiClient) -> None:
    for api_client in (alice, stranger):
        for path in (DEVS + "/invite/guest@example.com", "/teaminvite/code"):
            assert api_client.put(path, {}).status == 405
            assert api_client.delete(path).status == 405


def test_a_team_s_roles_on_repositories_are_listed(alice: ApiClient) -> None:
    an_organization_repository(alice.backend, by="alice")
    alice.put(DEVS, {"role": "member"})
    assert alice.get(DEVS + "/permissions").json() == {"permissions": []}
    alice.put("/repository/acme/app/permissions/team/devs", {"role": "write"})

    assert alice.get(DEVS + "/permissions").json() == {
        "permissions": [{"repository": {"name": "app", "is_public": False}, "role": "write"}]
    }


def test_a_team_is_removed_unless_it_is_the_user_s_last_admin_team(alice: ApiClient) -> None:
    alice.put(DEVS, {"role": "admin"})

    assert alice.delete(DEVS).status == 204
    unknown = alice.delete(DEVS)
    assert (unknown.status, unknown.json()["message"]) == (400, "Team 'devs' is not a team in org 'acme'")
    last = alice.delete("/organization/acme/team/owners")
    assert (last.status, last.json()["message"]) == (
        400,
        "Deleting team 'owners' would remove admin ability for user 'alice' in organization 'acme'",
    )
    leaving = alice.delete("/organization/acme/team/owners/members/alice")
    assert (leaving.status, leaving.json()["message"]) == (
        400,
        "User cannot remove themselves from their only admin team.",
    )


ROUTES = [
    ("PUT", DEVS, {"role": "admin"}),
    ("DELETE", DEVS, None),
    ("GET", "/organization/acme/team/owners/members", None),
    ("PUT", DEVS + "/members/bob", {}),
    ("DELETE", DEVS + "/members/carol", None),
    ("GET", DEVS + "/permissions", None),
]


def test_callers_who_do_not_administer_the_organization_are_refused(
    alice: ApiClient, admin: ApiClient, stranger: ApiClient, visit: Callable[[str], ApiClient]
) -> None:
    bob, carol = visit("bob"), visit("carol")
    a_team(alice.backend, "devs", TeamRole.CREATOR, "carol", by="alice")

    for method, path, body in ROUTES:
        assert stranger.ask(method, path, body).status == 401
        for api_client in (bob, carol, admin):
            assert api_client.ask(method, path, body).status == 403
        assert alice.ask(method, path.replace("acme", "none"), body).status == 404


@pytest.mark.parametrize(("scope", "status"), [("org:admin", 200), ("repo:admin", 403), ("user:admin", 403)])
def test_a_token_is_limited_to_its_scopes(alice: ApiClient, scope: str, status: int) -> None:
    client = alice.post("/organization/acme/applications", {"name": "bot"}).json()["client_id"]
    path = f"/organization/acme/applications/{client}/tokens"
    bot = ApiClient(alice.app_client, alice.post(path, {"name": "ci", "scope": scope}).json()["token"])

    assert bot.put(DEVS, {"role": "member"}).status == status
    assert bot.get("/organization/acme/team/owners/members").status == status

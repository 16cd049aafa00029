"""Roles on repositories over the API."""

from collections.abc import Callable

import pytest

from chalicelib.domain.teams import TeamRole
from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.builders import a_repository, a_team, an_organization, an_organization_repository

APP = "/repository/acme/app/permissions"
USERS, TEAMS = APP + "/user/", APP + "/team/"


@pytest.fixture
def alice(app_client: AppClient, visit: Callable[[str], ApiClient]) -> ApiClient:
    """Returns the owner of acme, who is not a superuser."""
    api_client: ApiClient = visit("alice")
    an_organization(app_client.backend, owner="alice")
    an_organization_repository(app_client.backend, by="alice")
    visit("bob")
    a_team(app_client.backend, "devs", TeamRole.MEMBER, by="alice")
    return api_client


def names(api_client: ApiClient, path: str) -> set[str]:
    return set(api_client.get(path).json()["permissions"]) - {"alice"}


def test_a_user_s_role_is_set_changed_listed_and_removed(alice: ApiClient) -> None:
    given = alice.put(USERS + "bob", {"role": "read"})
    assert given.status == 200
    assert given.json() == {
        "role": "read",
        "name": "bob",
        "avatar": given.json()["avatar"],
        "is_robot": False,
        "is_org_member": False,
    }
    changed = alice.put(USERS + "bob", {"role": "write"}).json()
    assert changed == given.json() | {"role": "write"}
    assert alice.get(USERS + "bob").json() == changed
    assert alice.get(USERS).json()["permissions"]["bob"] == changed
    assert alice.get(APP + "/user").json() == alice.get(USERS).json()
    assert alice.get(USERS + "bob/transitive").json() == {"permissions": [{"role": "write"}]}
    assert alice.delete(USERS + "bob").status == 204
    assert names(alice, USERS) == set()
    assert alice.get(USERS + "nobody/transitive").status == 404


def test_a_team_s_role_is_set_changed_listed_and_removed(alice: ApiClient) -> None:
    given = alice.put(TEAMS + "devs", {"role": "read"})
    assert given.status == 200
    assert given.json() == {"role": "read", "name": "devs", "avatar": given.json()["avatar"]}
    assert alice.get(TEAMS + "devs").json() == given.json()
    assert alice.get(TEAMS).json() == {"permissions": {"devs": given.json()}}
    assert alice.delete(TEAMS + "devs").status == 204
    assert alice.get(TEAMS).json() == {"permissions": {}}


def test_a_robot_is_listed_as_a_user_and_as_a_member_of_its_organization(alice: ApiClient) -> None:
    alice.put("/organization/acme/robots/ci", {})

    given = alice.put(USERS + "acme+ci", {"role": "write"}).json()
    assert (given["name"], given["is_robot"], given["is_org_member"]) == ("acme+ci", True, True)
    assert names(alice, USERS) == {"acme+ci"}


def test_a_missing_role_is_reported_in_the_words_that_clients_match(alice: ApiClient) -> None:
    for path, kind in ((USERS + "bob", "User"), (USERS + "nobody", "User"), (TEAMS + "devs", "Team")):
        for answer in (alice.get(path), alice.delete(path)):
            assert answer.status == 400
            assert answer.json()["message"] == f"{kind} does not have permission for repo."


@pytest.mark.parametrize(
    ("path", "body", "why"),
    [
        (USERS + "bob", {"role": "king"}, "role"),
        (USERS + "bob", {}, "role"),
        (USERS + "bob", [], "the body"),
        (USERS + "nobody", {"role": "read"}, "Invalid username: nobody"),
        (USERS + "acme", {"role": "read"}, "Invalid username: acme"),
        (TEAMS + "none", {"role": "read"}, "No team none in organization acme"),
        (TEAMS + "devs", {"role": 5}, "role"),
    ],
)
def test_an_invalid_role_is_refused(alice: ApiClient, path: str, body: object, why: str) -> None:
    refused = alice.put(path, body)

    assert refused.status == 400
    assert why in refused.json()["detail"]


def test_permissions_on_a_user_s_repository_have_no_membership(
    alice: ApiClient, visit: Callable[[str], ApiClient]
) -> None:
    a_repository(alice.backend, "alice/app")

    given = alice.put("/repository/alice/app/permissions/user/bob", {"role": "read"}).json()

    assert "is_org_member" not in given


ROUTES = [
    ("GET", USERS, None),
    ("GET", TEAMS, None),
    ("GET", USERS + "bob", None),
    ("GET", USERS + "bob/transitive", None),
    ("PUT", USERS + "bob", {"role": "admin"}),
    ("DELETE", USERS + "bob", None),
    ("GET", TEAMS + "devs", None),
    ("PUT", TEAMS + "devs", {"role": "admin"}),
    ("DELETE", TEAMS + "devs", None),
]


def test_callers_who_do_not_administer_the_repository_are_refused(
    alice: ApiClient, admin: ApiClient, stranger: ApiClient, visit: Callable[[str], ApiClient]
) -> None:
    bob, carol = visit("bob"), visit("carol")
    alice.put(USERS + "bob", {"role": "write"})

    for method, path, body in ROUTES:
        assert stranger.ask(method, path, body).status in (401, 403)
        for api_client in (bob, carol, admin):
            assert api_client.ask(method, path, body).status == 403
            assert api_client.ask(method, path.replace("acme/app", "acme/none"), body).status == 403
        assert alice.ask(method, path.replace("acme/app", "acme/none"), body).status == 404


@pytest.mark.parametrize(("scope", "status"), [("repo:admin", 200), ("repo:write", 403), ("org:admin", 403)])
def test_a_token_is_limited_to_its_scopes(alice: ApiClient, scope: str, status: int) -> None:
    client = alice.post("/organization/acme/applications", {"name": "bot"}).json()["client_id"]
    path = f"/organization/acme/applications/{client}/tokens"
    bot = ApiClient(alice.app_client, alice.post(path, {"name": "ci", "scope": scope}).json()["token"])

    assert bot.put(USERS + "bob", {"role": "read"}).status == status
    assert bot.get(USERS).status == status

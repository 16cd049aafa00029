"""Default permissions over the API."""

from collections.abc import Callable

import pytest

from chalicelib.domain.teams import TeamRole
from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.builders import a_team, an_organization

ALL = "/organization/acme/prototypes"
MISSING = f"{ALL}/11111111-1111-1111-1111-111111111111"
FOR_BOB = {"role": "read", "delegate": {"kind": "user", "name": "bob"}}


@pytest.fixture
def alice(app_client: AppClient, visit: Callable[[str], ApiClient]) -> ApiClient:
    """Returns the owner of acme, who is not a superuser."""
    api_client: ApiClient = visit("alice")
    an_organization(app_client.backend, owner="alice")
    visit("bob")
    a_team(app_client.backend, "devs", TeamRole.MEMBER, by="alice")
    return api_client


def test_a_prototype_is_created_listed_changed_and_removed(alice: ApiClient) -> None:
    assert alice.get(ALL).json() == {"prototypes": []}
    creation = alice.post(ALL, FOR_BOB)
    assert creation.status == 200
    one = creation.json()
    assert one == {
        "id": one["id"],
        "role": "read",
        "delegate": {
            "name": "bob",
            "kind": "user",
            "avatar": one["delegate"]["avatar"],
            "is_robot": False,
            "is_org_member": False,
        },
        "activating_user": None,
    }
    path = f"{ALL}/{one['id']}"
    assert alice.put(path, {"role": "admin"}).json() == one | {"role": "admin"}
    assert alice.get(ALL).json() == {"prototypes": [one | {"role": "admin"}]}
    assert alice.delete(path).status == 204
    assert alice.delete(path).status == alice.put(path, {"role": "read"}).status == 404


def test_a_prototype_for_a_team_may_apply_to_one_user_s_repositories(alice: ApiClient) -> None:
    delegate = {"kind": "team", "name": "devs"}

    one = alice.post(ALL, {"role": "write", "delegate": delegate, "activating_user": {"name": "alice"}}).json()

    assert one["delegate"] == {"name": "devs", "kind": "team", "avatar": one["delegate"]["avatar"]}
    assert (one["activating_user"]["name"], one["activating_user"]["is_org_member"]) == ("alice", True)


def test_a_robot_is_shown_as_a_user(alice: ApiClient) -> None:
    alice.put("/organization/acme/robots/ci", {})

    one = alice.post(ALL, FOR_BOB | {"delegate": {"kind": "user", "name": "acme+ci"}}).json()

    assert (one["delegate"]["kind"], one["delegate"]["is_robot"], one["delegate"]["is_org_member"]) == (
        "user",
        True,
        True,
    )


@pytest.mark.parametrize(
    "change",
    [
        {"delegate": {"kind": "user", "name": "nobody"}},
        {"delegate": {"kind": "team", "name": "none"}},
        {"delegate": {"kind": "fish", "name": "bob"}},
        {"delegate": {"kind": "user"}},
        {"delegate": None},
        {"role": "king"},
        {"role": None},
        {"activating_user": {"name": "nobody"}},
        {"activating_user": {}},
        {"activating_user": "alice"},
    ],
    ids=str,
)
def test_an_invalid_prototype_is_refused(alice: ApiClient, change: dict[str, object]) -> None:
    refused = alice.post(ALL, FOR_BOB | change)

    assert (refused.status, refused.json()["error_type"]) == (400, "invalid_request")
    assert alice.get(ALL).json() == {"prototypes": []}


ROUTES = [
    ("GET", ALL, None),
    ("POST", ALL, FOR_BOB),
    ("PUT", MISSING, {"role": "read"}),
    ("DELETE", MISSING, None),
]


def test_callers_who_do_not_administer_the_organization_are_refused(
    alice: ApiClient, admin: ApiClient, stranger: ApiClient, visit: Callable[[str], ApiClient]
) -> None:
    bob, carol = visit("bob"), visit("carol")

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

    assert bot.post(ALL, FOR_BOB).status == bot.get(ALL).status == status

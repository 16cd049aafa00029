"""Organizations over the API, in the order in which a running Quay was asked."""

from collections.abc import Callable

import pytest

from chalicelib.domain.teams import TeamRole
from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.builders import a_team, an_organization_repository

ACME, ALL = "/organization/acme", "/organization/"


@pytest.fixture
def alice(visit: Callable[[str], ApiClient]) -> ApiClient:
    """Returns the owner of acme, who is not a superuser."""
    api_client: ApiClient = visit("alice")
    assert api_client.post(ALL, {"name": "acme", "email": "acme@example.com"}).status == 201
    return api_client


def test_an_organization_is_created_and_its_name_is_taken(alice: ApiClient, visit: Callable[[str], ApiClient]) -> None:
    creation = alice.post(ALL, {"name": "other"})
    assert (creation.status, creation.json()) == (201, "Created")
    visit("bob")

    for name in ("acme", "bob", "other"):
        taken = alice.post(ALL, {"name": name, "email": "x@example.com"})
        assert (taken.status, taken.json()["detail"]) == (400, "A user or organization with this name already exists")


@pytest.mark.parametrize("body", [{"name": "Bad Name!"}, {"name": "a"}, {"email": "x@example.com"}, {"name": 7}, []])
def test_an_invalid_organization_is_refused(alice: ApiClient, body: object) -> None:
    refused = alice.post(ALL, body)

    assert (refused.status, refused.json()["error_type"]) == (400, "invalid_request")


def test_everybody_sees_the_name_members_the_teams_and_owners_everything(
    alice: ApiClient, stranger: ApiClient, admin: ApiClient, visit: Callable[[str], ApiClient]
) -> None:
    bob = visit("bob")
    for api_client in (bob, stranger, admin):
        response = api_client.get(ACME)
        assert response.status == 200
        assert response.json() == {
            "name": "acme",
            "email": "",
            "avatar": response.json()["avatar"],
            "is_admin": False,
            "is_member": False,
        }
    a_team(alice.backend, "devs", TeamRole.MEMBER, "bob", by="alice")
    seen = bob.get(ACME).json()
    assert (seen["is_member"], seen["is_admin"], seen["email"], "quotas" in seen) == (True, False, "", False)
    assert seen["ordered_teams"] == ["owners", "devs"]
    own = alice.get(ACME).json()
    assert own["teams"]["owners"] == {
        "name": "owners",
        "description": "",
        "role": "admin",
        "avatar": own["teams"]["owners"]["avatar"],
        "can_view": True,
        "repo_count": 0,
        "member_count": 1,
        "is_synced": False,
    }
    assert {
        key: own[key] for key in ("email", "invoice_email", "invoice_email_address", "tag_expiration_s", "quotas")
    } == {
        "email": "acme@example.com",
        "invoice_email": False,
        "invoice_email_address": None,
        "tag_expiration_s": 14 * 86400,
        "quotas": [],
    }
    assert own["quota_report"] == {
        "quota_bytes": 0,
        "configured_quota": None,
        "running_backfill": "complete",
        "backfill_status": "complete",
    }
    assert stranger.get("/organization/none").status == stranger.get("/organization/bob").status == 404


def test_a_quota_is_shown_with_its_usage(alice: ApiClient, admin: ApiClient) -> None:
    admin.post("/superuser/organization/acme/quota", {"limit_bytes": 2_000_000})

    response = alice.get(ACME).json()
    assert response["quotas"] == alice.get(ACME + "/quota").json()
    assert response["quota_report"]["configured_quota"] == 2_000_000


def test_owners_change_an_organization(alice: ApiClient) -> None:
    assert alice.put(ACME, {"tag_expiration_s": 86400}).json()["tag_expiration_s"] == 86400
    assert alice.put(ACME, b'{"tag_expiration_s": 864e2}').json()["tag_expiration_s"] == 86400
    refused = alice.put(ACME, {"tag_expiration_s": 5})
    assert (refused.status, refused.json()["message"]) == (400, "Invalid tag expiration option")
    changed = alice.put(
        ACME, {"email": "new@example.com", "invoice_email": True, "invoice_email_address": "x@example.com"}
    )
    assert (changed.status, changed.json()["email"]) == (200, "new@example.com")
    assert changed.json()["invoice_email_address"] == "x@example.com"
    assert alice.put(ACME, {"invoice_email_address": None}).json()["invoice_email_address"] is None
    for field in ("email", "invoice_email_address"):
        refused = alice.put(ACME, {field: "nonsense"})
        assert (refused.status, refused.json()["detail"]) == (400, "Invalid email address")
    bodies: list[object] = [{"tag_expiration_s": "soon"}, {"invoice_email": "yes"}, {"email": 5}, []]
    for body in bodies:
        assert alice.put(ACME, body).status == 400


def test_owners_list_members_and_collaborators(alice: ApiClient, visit: Callable[[str], ApiClient]) -> None:
    visit("bob")
    visit("carol")
    an_organization_repository(alice.backend, by="alice")
    alice.put("/repository/acme/app/permissions/user/carol", {"role": "read"})

    (member,) = alice.get(ACME + "/members").json()["members"]
    assert member == {
        "name": "alice",
        "kind": "user",
        "avatar": member["avatar"],
        "teams": [{"name": "owners", "avatar": member["teams"][0]["avatar"]}],
        "repositories": member["repositories"],
    }
    assert alice.get(ACME + "/members/alice").json() == member
    assert alice.get(ACME + "/members/bob").status == 404
    assert alice.delete(ACME + "/members/bob").status == 204
    assert alice.delete(ACME + "/members/nobody").status == 404
    (outside,) = alice.get(ACME + "/collaborators").json()["collaborators"]
    assert (outside["name"], outside["kind"], outside["repositories"]) == ("carol", "user", ["app"])
    assert alice.delete(ACME + "/members/carol").status == 204
    assert alice.get(ACME + "/collaborators").json() == {"collaborators": []}
    assert alice.delete(ACME + "/members/alice").status == 400


def test_the_name_of_a_deleted_organization_is_not_free_at_once(alice: ApiClient) -> None:
    an_organization_repository(alice.backend, by="alice")

    assert alice.delete(ACME).status == 204
    assert alice.get(ACME).status == alice.delete(ACME).status == 404
    assert alice.get("/repository/acme/app/permissions/user/").status == 403
    again = alice.post(ALL, {"name": "acme", "email": "again@example.com"})
    assert (again.status, again.json()["detail"]) == (400, "Username is not available")
    assert alice.get("/user").json()["organizations"] == []


def test_a_deletion_needs_a_session_with_a_fresh_password(alice: ApiClient) -> None:
    alice.backend.clock.ahead_s = alice.backend.settings.fresh_s + 1

    refused = alice.delete(ACME)

    assert (refused.status, refused.json()["error_type"]) == (401, "fresh_login_required")


ROUTES = [
    ("PUT", ACME, {"tag_expiration_s": 0}),
    ("DELETE", ACME, None),
    ("GET", ACME + "/collaborators", None),
    ("GET", ACME + "/members", None),
    ("GET", ACME + "/members/alice", None),
    ("DELETE", ACME + "/members/alice", None),
]


def test_callers_who_do_not_administer_an_organization_are_refused(
    alice: ApiClient, admin: ApiClient, stranger: ApiClient, visit: Callable[[str], ApiClient]
) -> None:
    bob, carol = visit("bob"), visit("carol")
    a_team(alice.backend, "devs", TeamRole.CREATOR, "carol", by="alice")

    for method, path, body in ROUTES:
        assert stranger.ask(method, path, body).status == 401
        for api_client in (bob, carol, admin):
            assert api_client.ask(method, path, body).status == 403
        assert alice.ask(method, path.replace("acme", "none"), body).status == 404


def test_an_anonymous_caller_cannot_create_an_organization(stranger: ApiClient) -> None:
    assert stranger.post(ALL, {"name": "other"}).status == 401


@pytest.mark.parametrize(
    ("scope", "makes", "changes", "is_member"),
    [("user:admin", 201, 403, False), ("org:admin", 403, 200, True), ("repo:admin", 403, 403, False)],
)
def test_a_token_is_limited_to_its_scopes(
    alice: ApiClient, scope: str, makes: int, changes: int, is_member: bool
) -> None:
    client = alice.post(ACME + "/applications", {"name": "bot"}).json()["client_id"]
    path = f"{ACME}/applications/{client}/tokens"
    bot = ApiClient(alice.app_client, alice.post(path, {"name": "ci", "scope": scope}).json()["token"])

    assert bot.post(ALL, {"name": "other"}).status == makes
    assert bot.put(ACME, {"tag_expiration_s": 0}).status == changes
    assert bot.get(ACME).json()["is_member"] is is_member


def test_superusers_list_rename_and_delete_organizations_of_others(alice: ApiClient, admin: ApiClient) -> None:
    alice.post(ALL, {"name": "beta"})
    listed = admin.get("/superuser/organizations/").json()["organizations"]
    assert [one["name"] for one in listed] == ["acme", "beta"]
    assert listed[0] == {"name": "acme", "email": "acme@example.com", "avatar": listed[0]["avatar"], "quotas": []}
    page = admin.get("/superuser/organizations/?limit=1").json()
    assert ([one["name"] for one in page["organizations"]], page["next_page"]) == (["acme"], "acme")
    assert admin.get("/superuser/organizations/?limit=1&next_page=acme").json()["organizations"] == listed[1:]

    moved = admin.put("/superuser/organizations/acme", {"name": "moved"})
    assert (moved.status, moved.json()["name"]) == (200, "moved")
    assert (alice.get("/organization/moved").status, alice.get(ACME).status) == (200, 404)
    assert admin.put("/superuser/organizations/moved", {"name": "beta"}).status == 400
    assert admin.put("/superuser/organizations/moved", {"name": "Bad!"}).status == 400
    assert admin.put("/superuser/organizations/moved", {"name": 5}).status == 400
    assert admin.put("/superuser/organizations/moved", {}).json() == moved.json()
    assert admin.put("/superuser/organizations/none", {"name": "x1"}).status == 404
    assert admin.put("/superuser/organizations/moved", {"name": "acme"}).status == 200
    assert admin.delete("/superuser/organizations/acme").status == 204
    assert admin.delete("/superuser/organizations/acme").status == 404


def test_a_superuser_without_full_access_cannot_take_ownership(alice: ApiClient, admin: ApiClient) -> None:
    for name in ("acme", "alice", "none"):
        assert admin.post(f"/superuser/takeownership/{name}").status == 403
    assert admin.get(ACME).json()["is_admin"] is False


def test_a_superuser_with_full_access_takes_ownership_of_an_organization(
    new_app_client: Callable[..., AppClient],
) -> None:
    app_client = new_app_client(superusers_full_access=True)
    app_client.backend.user("alice")
    ApiClient(app_client).sign_in("alice").post(ALL, {"name": "acme"})
    admin = ApiClient(app_client).sign_in("admin")

    taken = admin.post("/superuser/takeownership/acme")
    assert (taken.status, taken.json()) == (200, {"namespace": "acme"})
    names = [member["name"] for member in admin.get(ACME + "/members").json()["members"]]
    assert names == ["admin", "alice"]
    assert admin.post("/superuser/takeownership/none").status == 404
    assert admin.post("/superuser/takeownership/alice").status == 400


def test_only_superusers_use_the_routes_of_superusers(alice: ApiClient, stranger: ApiClient) -> None:
    for method, path, body in (
        ("GET", "/superuser/organizations/", None),
        ("PUT", "/superuser/organizations/acme", {"name": "moved"}),
        ("DELETE", "/superuser/organizations/acme", None),
        ("POST", "/superuser/takeownership/acme", None),
    ):
        assert stranger.ask(method, path, body).status == 401
        assert alice.ask(method, path, body).status == 403

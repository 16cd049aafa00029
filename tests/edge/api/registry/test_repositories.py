"""Repositories over the API, in the order in which a running Quay was asked."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.permissions import Role
from chalicelib.domain.repositories import LONGEST_DESCRIPTION
from tests.support.api_client import ApiClient
from tests.support.app_client import Answer, AppClient
from tests.support.builders import a_blob, a_repository, an_actor_with_role, an_organization, push_image

REPOSITORIES = "/repository"
APP, SECRET = "/repository/acme/app", "/repository/acme/secret"
# What a caller who is nobody gets, as in Quay.
NOBODY = (401, "Requires authentication")


def new_repository(repository: str, visibility: str = "private", **more: Any) -> dict[str, Any]:
    return {"namespace": "acme", "repository": repository, "visibility": visibility, "description": "", **more}


def refusal(answer: Answer) -> tuple[int, str]:
    """Returns status and message of a refusal."""
    return answer.status, answer.json()["detail"]


@pytest.fixture
def alice(app_client: AppClient, visit: Callable[[str], ApiClient]) -> ApiClient:
    """Returns an owner of acme, which has a public and a private repository; she is not a superuser."""
    api_client: ApiClient = visit("alice")
    an_organization(app_client.backend, owner="alice")
    assert (
        api_client.post(REPOSITORIES, new_repository("app", "public", description="An app", repo_kind="image")).status
        == 201
    )
    assert api_client.post(REPOSITORIES, new_repository("secret")).status == 201
    return api_client


def a_bot(api_client: ApiClient, scope: str) -> ApiClient:
    """Returns a program with an OAuth token of a api_client's."""
    client = api_client.post("/organization/acme/applications", {"name": "bot"}).json()["client_id"]
    creation = api_client.post(f"/organization/acme/applications/{client}/tokens", {"name": "ci", "scope": scope})
    return ApiClient(api_client.app_client, creation.json()["token"])


def test_a_repository_is_created_in_an_organization_in_the_user_s_namespace_and_with_a_nested_name(
    alice: ApiClient,
) -> None:
    for body, expected in (
        (new_repository("more", "public"), {"namespace": "acme", "name": "more", "kind": "image"}),
        (new_repository("team/deep/name"), {"namespace": "acme", "name": "team/deep/name", "kind": "image"}),
        (
            {"repository": "mine", "visibility": "private", "description": "", "repo_kind": None},
            {"namespace": "alice", "name": "mine", "kind": "image"},
        ),
    ):
        creation = alice.post(REPOSITORIES, body)
        assert (creation.status, creation.json()) == (201, expected)


@pytest.mark.parametrize("name", ["UPPER", "bad name", "x" * 300, "", "/a", "a//b", "../a", "a/", "a#b", "ключ"])
def test_an_invalid_name_is_refused_in_quay_s_words(alice: ApiClient, name: str) -> None:
    refused = alice.post(REPOSITORIES, new_repository(name))

    assert refusal(refused) == (400, "Invalid repository name")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**new_repository("v"), "visibility": "secret"}, "visibility"),
        ({"namespace": "acme", "repository": "v"}, "the body"),
        ({**new_repository("v"), "repository": 7}, "repository"),
        ({**new_repository("v"), "description": None}, "description"),
        ({**new_repository("v"), "repo_kind": "application"}, "repo_kind"),
        ({**new_repository("v"), "description": "x" * (LONGEST_DESCRIPTION + 1)}, "description"),
        ([], "the body"),
    ],
)
def test_an_invalid_body_is_refused_by_its_field(alice: ApiClient, body: object, field: str) -> None:
    refused = alice.post(REPOSITORIES, body)

    assert (refused.status, refused.json()["error_type"]) == (400, "invalid_request")
    assert refused.json()["detail"].startswith(f"{field}: ")


def test_a_value_that_is_none_of_some_is_refused_in_the_words_of_json(alice: ApiClient) -> None:
    refused = alice.post(REPOSITORIES, new_repository("v", repo_kind="application"))

    assert refused.json()["detail"] == "repo_kind: must be one of ['image'] or null"


def test_a_taken_name_is_refused_in_the_words_that_clients_match(alice: ApiClient) -> None:
    refused = alice.post(REPOSITORIES, new_repository("app", "public"))

    assert refusal(refused) == (400, "Repository already exists")
    assert refused.json()["detail"] == "Repository already exists"


def test_a_repository_needs_an_existing_namespace_and_the_right_to_create(
    alice: ApiClient, stranger: ApiClient, admin: ApiClient, visit: Callable[[str], ApiClient]
) -> None:
    visit("bob")

    for api_client, namespace in (
        (alice, "none"),
        (alice, "bob"),
        (alice, "a#b"),
        (alice, "x/y"),
        (admin, "acme"),
    ):
        assert refusal(api_client.post(REPOSITORIES, new_repository("v", namespace=namespace))) == (
            403,
            "Unauthorized",
        ), namespace
    assert refusal(stranger.post(REPOSITORIES, new_repository("v"))) == NOBODY
    assert a_bot(alice, "repo:create").post(REPOSITORIES, new_repository("bytoken")).status == 201
    assert a_bot(alice, "repo:admin").post(REPOSITORIES, new_repository("bytoken2")).status == 403


def test_a_public_repository_is_shown_to_everybody_with_their_rights(
    alice: ApiClient, stranger: ApiClient, admin: ApiClient, visit: Callable[[str], ApiClient]
) -> None:
    response = alice.get(APP)

    assert response.status == 200
    assert response.json() == {
        "namespace": "acme",
        "name": "app",
        "kind": "image",
        "description": "An app",
        "is_public": True,
        "is_organization": True,
        "is_starred": False,
        "status_token": "",
        "trust_enabled": False,
        "tag_expiration_s": 14 * 86400,
        "is_free_account": True,
        "state": "NORMAL",
        "tags": {},
        "can_write": True,
        "can_admin": True,
        "quota_report": {"quota_bytes": 0, "configured_quota": None},
    }
    for api_client in (stranger, admin, visit("bob")):
        assert api_client.get(APP).json() == {**response.json(), "can_write": False, "can_admin": False}
    assert a_bot(alice, "repo:admin").get(APP).json()["can_admin"]


def test_a_private_repository_looks_unknown_to_callers_without_a_role(
    alice: ApiClient, stranger: ApiClient, admin: ApiClient, visit: Callable[[str], ApiClient]
) -> None:
    assert len(alice.get(SECRET).json()["status_token"]) == 36
    assert a_bot(alice, "repo:read").get(SECRET).status == 200

    for path in (SECRET, "/repository/acme/none", "/repository/none/none", "/repository/library/none"):
        for api_client in (admin, visit("bob"), a_bot(alice, "user:read")):
            assert refusal(api_client.get(path)) == (403, "Unauthorized")
        assert refusal(stranger.get(path)) == NOBODY
    assert refusal(alice.get("/repository/acme/none")) == (404, "Not Found")
    assert alice.get("/repository/acme").status == 404


def test_tags_and_statistics_are_included_on_demand(app_client: AppClient, admin: ApiClient) -> None:
    manifest = push_image(app_client.backend, "v1", labels={"quay.expires-after": "1h"})

    tags = admin.get("/repository/admin/app").json()["tags"]
    lean = admin.get("/repository/admin/app?includeTags=false&includeStats=true").json()

    assert tags["v1"].items() >= {"name": "v1", "size": 64, "manifest_digest": str(manifest.digest)}.items()
    assert tags["v1"]["last_modified"].endswith("-0000")
    assert tags["v1"]["expiration"].endswith("-0000")
    assert "tags" not in lean
    assert len(lean["stats"]) == 91
    assert lean["stats"][0]["count"] == 2


def test_a_list_needs_a_filter(alice: ApiClient) -> None:
    refused = alice.get(REPOSITORIES)

    assert refusal(refused) == (400, "namespace, starred or public are required for this API call")


def test_a_list_has_the_shape_of_quay_s(alice: ApiClient, stranger: ApiClient) -> None:
    app, secret = alice.get("/repository?namespace=acme").json()["repositories"]
    more, _ = alice.get("/repository?namespace=acme&last_modified=true&popularity=1&quota=true").json()["repositories"]

    assert app == {
        "namespace": "acme",
        "name": "app",
        "description": "An app",
        "is_public": True,
        "kind": "image",
        "state": "NORMAL",
        "is_starred": False,
        "quota_report": {"quota_bytes": None, "configured_quota": None},
    }
    assert (secret["name"], secret["is_public"]) == ("secret", False)
    counted = {"quota_bytes": 0, "configured_quota": None}
    assert more == {**app, "last_modified": None, "popularity": 0.0, "quota_report": counted}
    assert stranger.get("/repository?namespace=acme&public=true").json() == {"repositories": [app]}
    for api_client, query in ((stranger, "namespace=acme"), (alice, "starred=true"), (alice, "namespace=none")):
        assert api_client.get(f"/repository?{query}").json() == {"repositories": []}


def test_a_long_list_continues_on_the_next_page(app_client: AppClient, admin: ApiClient) -> None:
    for number in range(101):
        a_repository(app_client.backend, f"admin/r{number:03d}")

    first = admin.get("/repository?namespace=admin").json()
    second = admin.get(f"/repository?namespace=admin&next_page={first['next_page']}").json()

    assert len(first["repositories"]) == 100
    assert [one["name"] for one in second["repositories"]] == ["r100"]
    assert "next_page" not in second


def test_writers_change_the_description(
    alice: ApiClient, stranger: ApiClient, admin: ApiClient, visit: Callable[[str], ApiClient], app_client: AppClient
) -> None:
    changed = alice.put(APP, {"description": "New *text*"})
    assert (changed.status, changed.json()) == (200, {"success": True})
    assert alice.get(APP).json()["description"] == "New *text*"

    refused = alice.put(APP, {})
    assert (refused.status, refused.json()["error_type"]) == (400, "invalid_request")
    assert "description" in refused.json()["detail"]
    for api_client in (visit("bob"), admin, a_bot(alice, "repo:read")):
        assert refusal(api_client.put(APP, {"description": "x"})) == (403, "Unauthorized")
    assert refusal(stranger.put(APP, {"description": "x"})) == NOBODY
    assert a_bot(alice, "repo:write").put(APP, {"description": "by token"}).status == 200


@pytest.mark.parametrize("body", [b"{not json", b'{"description": "\xff"}', b""])
def test_a_body_that_is_not_json_is_refused(alice: ApiClient, body: bytes) -> None:
    refused = alice.ask("PUT", APP, body, Content_Type="application/json")

    assert refused.status == 400
    assert refused.json()["message"]


def test_administrators_change_the_visibility(
    alice: ApiClient, stranger: ApiClient, visit: Callable[[str], ApiClient]
) -> None:
    path = SECRET + "/changevisibility"
    for visibility in ("public", "private"):
        assert alice.post(path, {"visibility": visibility}).json() == {"success": True}
        assert stranger.get(SECRET).status == (200 if visibility == "public" else 401)

    assert alice.post(path, {"visibility": "x"}).json()["detail"].startswith("visibility: ")
    for api_client in (visit("bob"), a_bot(alice, "repo:write")):
        assert refusal(api_client.post(path, {"visibility": "public"})) == (403, "Unauthorized")


def test_a_read_only_repository_refuses_pushes_and_says_its_state_to_writers(
    app_client: AppClient, admin: ApiClient, visit: Callable[[str], ApiClient]
) -> None:
    a_blob(app_client.backend)
    visit("bob")
    before = app_client.token("admin/app")
    state = "/repository/admin/app/changestate"
    assert admin.put(state, {"state": "READ_ONLY"}).json() == {"success": True}
    assert admin.get("/repository/admin/app").json()["state"] == "READ_ONLY"
    words = "admin/app is READ_ONLY: it takes no pushes or deletions until its administrator sets its state to NORMAL"
    for token, status in ((before, 403), (app_client.token("admin/app"), 401)):
        refused = push(app_client, token)
        assert (refused.status, refused.json()["errors"][0]["message"]) == (status, words)
    stranger = push(app_client, app_client.token("admin/app", name="bob"))
    assert (stranger.status, "READ_ONLY" in stranger.body.decode()) == (401, False)

    assert admin.put(state, {"state": "NORMAL"}).status == 200
    assert push(app_client, before).status == 201
    assert admin.put(state, {"state": "UPSIDE_DOWN"}).json()["detail"].startswith("state: ")


def test_a_readme_of_64_kb_is_a_description_and_lists_cut_it_short(admin: ApiClient, app_client: AppClient) -> None:
    a_blob(app_client.backend)
    readme = "# \u00dcber\n" + "x" * (64 * 1024)
    readme = readme[: 64 * 1024]

    assert admin.put("/repository/admin/app", {"description": readme}).status == 200

    assert admin.get("/repository/admin/app").json()["description"] == readme
    (listed,) = admin.get("/repository?namespace=admin").json()["repositories"]
    (found,) = admin.get("/find/repositories?query=app").json()["results"]
    for short in (listed["description"], found["description"]):
        assert short == readme[:999] + "…"
    logs = admin.get("/repository/admin/app/logs").json()["logs"]
    assert logs[0]["metadata"]["description"] == readme[:999] + "…"


def test_a_restored_repository_has_its_whole_description(admin: ApiClient) -> None:
    readme = "x" * 20_000
    new = {"repository": "read", "visibility": "public", "description": readme}
    assert admin.post(REPOSITORIES, new).status == 201
    assert admin.delete("/repository/admin/read").status == 204
    (gone,) = admin.get("/repository/deleted?namespace=admin").json()["repositories"]
    assert len(gone["description"]) == 1000

    assert admin.post(f"/repository/deleted/{gone['id']}/restore", {}).status == 200

    assert admin.get("/repository/admin/read").json()["description"] == readme


def test_a_repository_becomes_a_mirror_that_takes_no_push_without_any_settings(
    admin: ApiClient, app_client: AppClient
) -> None:
    a_blob(app_client.backend)
    assert admin.put("/repository/admin/app/changestate", {"state": "MIRROR"}).json() == {"success": True}

    shown = admin.get("/repository/admin/app").json()
    assert (shown["state"], shown["can_write"]) == ("MIRROR", False)
    token = {"Authorization": f"Bearer {app_client.backend.token('admin', 'admin/app')}"}
    assert push(app_client, token).status == 401


def push(app_client: AppClient, token: dict[str, str]) -> Answer:
    digest = "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    return app_client.ask("POST", f"/v2/admin/app/blobs/uploads/?digest={digest}", token, b"x")


def test_a_deletion_may_be_repeated_and_frees_the_name(
    alice: ApiClient, stranger: ApiClient, visit: Callable[[str], ApiClient]
) -> None:
    for api_client in (visit("bob"), a_bot(alice, "repo:write")):
        assert refusal(api_client.delete(APP)) == (403, "Unauthorized")
    assert refusal(stranger.delete(APP)) == NOBODY

    for _ in range(2):
        deletion = alice.delete(APP)
        assert (deletion.status, deletion.body) == (204, b"")
    assert alice.get(APP).status == 404
    assert stranger.get(APP).status == 401
    assert alice.post(REPOSITORIES, new_repository("app")).status == 201
    assert stranger.get(APP).status == 401


@pytest.mark.parametrize("role", Role)
def test_each_role_permits_its_operations(app_client: AppClient, visit: Callable[[str], ApiClient], role: Role) -> None:
    a_repository(app_client.backend)
    bob, path = visit("bob"), "/repository/admin/app"
    an_actor_with_role(app_client.backend, "bob", role)
    expected = {
        ("GET", ""): Role.READ,
        ("PUT", ""): Role.WRITE,
        ("POST", "/changevisibility"): Role.ADMIN,
        ("PUT", "/changestate"): Role.ADMIN,
        ("DELETE", ""): Role.ADMIN,
    }
    body = {"description": "x", "visibility": "private", "state": "NORMAL"}
    for (method, rest), needed in expected.items():
        status = bob.ask(method, path + rest, body if method != "GET" else None).status
        assert (status < 300) is (role.rank >= needed.rank), (method, rest)


def test_a_robot_s_token_is_not_accepted(app_client: AppClient, alice: ApiClient) -> None:
    alice.put("/organization/acme/robots/ci", {})
    robot = app_client.backend.robot("alice+ci")[1]

    for api_client in (ApiClient(app_client, robot), ApiClient(app_client, "nonsense")):
        assert api_client.get(APP).status == 200
        assert api_client.get(SECRET).status == 401
        assert api_client.delete(APP).status == 403


def test_nobody_gets_401_on_the_routes_of_a_repository_and_somebody_403(
    app_client: AppClient, alice: ApiClient, visit: Callable[[str], ApiClient]
) -> None:
    """Clients fetch another token, or try `/v2`, on 401 alone; a bad bearer is nobody."""
    stranger = visit("bob")
    for path in (SECRET, "/repository/acme/none", SECRET + "/tag/", SECRET + "/permissions/user/"):
        for nobody in (ApiClient(app_client), ApiClient(app_client, "forged")):
            answer = nobody.get(path)
            assert (answer.status, answer.json()["error_type"]) == (401, "invalid_token")
        assert stranger.get(path).status == 403
    for nobody in (ApiClient(app_client), ApiClient(app_client, "forged")):
        assert nobody.get(APP).status == 200

"""Quotas over the API, in the order in which a running Quay was asked."""

from collections.abc import Callable

import pytest

from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.builders import a_blob, an_organization

THEIRS, SUPERUSER_PATH = "/organization/acme/quota", "/superuser/organization/acme/quota"
ALICE, BOB = "/superuser/users/alice/quota", "/superuser/users/bob/quota"
BYTES = {"limit_bytes": 2_000_000}


@pytest.fixture
def alice(app_client: AppClient, visit: Callable[[str], ApiClient]) -> ApiClient:
    """Returns an owner of acme, who is not a superuser."""
    api_client: ApiClient = visit("alice")
    an_organization(app_client.backend, owner="alice")
    return api_client


def test_a_superuser_sets_a_quota_and_the_owner_reads_it(admin: ApiClient, alice: ApiClient) -> None:
    assert alice.get(THEIRS).json() == []
    creation = admin.post(SUPERUSER_PATH, BYTES)
    assert (creation.status, creation.json()) == (201, "Created")

    (quota,) = alice.get(THEIRS).json()
    assert quota == {
        "id": quota["id"],
        "limit_bytes": 2_000_000,
        "limit": "1.9 MiB",
        "default_config": False,
        "limits": [],
        "default_config_exists": False,
    }
    assert alice.get(f"{THEIRS}/{quota['id']}").json() == quota
    assert alice.get(f"{THEIRS}/{quota['id']}/limit").json() == []
    assert admin.get(SUPERUSER_PATH).json() == [quota]
    assert admin.post(SUPERUSER_PATH, BYTES).status == 400
    changed = admin.put(f"{SUPERUSER_PATH}/{quota['id']}", {"limit": "5 MiB"})
    assert (changed.status, changed.json()["limit_bytes"]) == (200, 5 * 1024**2)
    assert admin.delete(f"{SUPERUSER_PATH}/{quota['id']}").status == 204
    assert admin.delete(f"{SUPERUSER_PATH}/{quota['id']}").status == 404
    assert alice.get(THEIRS).json() == []


def test_a_whole_number_may_be_written_with_a_decimal_point(admin: ApiClient, alice: ApiClient) -> None:
    admin.post(ALICE, b'{"limit_bytes": 5.0}')
    (quota,) = alice.get("/user/quota").json()
    admin.post(f"{ALICE}/{quota['id']}/limit", b'{"type": "Warning", "threshold_percent": 8e1}')

    assert '"limit_bytes":5,' in alice.get("/user/quota").body.decode()
    assert '"limit_percent":80}' in alice.get("/user/quota").body.decode()


def test_the_organization_s_own_routes_refuse_every_change(admin: ApiClient, alice: ApiClient) -> None:
    admin.post(SUPERUSER_PATH, BYTES)
    (quota,) = alice.get(THEIRS).json()
    one = f"{THEIRS}/{quota['id']}"

    for api_client in (alice, admin):
        for body in (BYTES, {"limit_bytes": -1}):
            assert api_client.post(THEIRS, body).status == 403
        assert api_client.put(one, {"limit": "5 MiB"}).status == 403
        assert api_client.post(f"{one}/limit", {"type": "Explode", "threshold_percent": 180}).status == 403
        assert api_client.put(f"{one}/limit/1", {"threshold_percent": 70}).status == 403
        assert api_client.delete(f"{one}/limit/1").status == 403
        assert api_client.delete(f"{one}/limit/none").status == 403
        assert api_client.delete(one).status == 403
    assert alice.get(THEIRS).json() == [quota]


@pytest.mark.parametrize("body", [{}, {"limit": "5 parsecs"}, {"limit_bytes": "many"}, {"limit_bytes": -1}, []])
def test_an_invalid_number_of_bytes_is_refused(admin: ApiClient, alice: ApiClient, body: object) -> None:
    refused = admin.post(SUPERUSER_PATH, body)

    assert (refused.status, refused.json()["error_type"]) == (400, "invalid_request")


@pytest.mark.parametrize("identifier", ["999999", "abc", "-1", "9" * 30, "%D9%A5"])
def test_an_unknown_quota_id_is_not_found(alice: ApiClient, identifier: str) -> None:
    assert alice.get(f"{THEIRS}/{identifier}").status == 404
    assert alice.get(f"/user/quota/{identifier}/limit").status == 404


def test_superusers_add_change_and_remove_limits(admin: ApiClient, alice: ApiClient) -> None:
    admin.post(ALICE, BYTES)
    (quota,) = alice.get("/user/quota").json()
    path, mine = f"{ALICE}/{quota['id']}/limit", f"/user/quota/{quota['id']}/limit"
    for body in ({"type": "Warning", "threshold_percent": 80}, {"type": "Reject", "threshold_percent": 100}):
        assert (admin.post(path, body).status, admin.post(path, body).status) == (201, 400)
    for refused in (
        {"type": "Explode", "threshold_percent": 80},
        {"type": "Warning", "threshold_percent": 180},
        {"type": "Warning"},
        {"threshold_percent": 5},
    ):
        assert admin.post(path, refused).status == 400

    warning, reject = alice.get(mine).json()
    assert (warning["type"], warning["limit_percent"], reject["type"]) == ("Warning", 80, "Reject")
    assert alice.get("/user/quota").json()[0]["limits"] == [warning, reject]
    assert alice.get(f"{mine}/{warning['id']}").json() == warning
    assert admin.get(f"{path}/{warning['id']}").json() == warning
    changed = admin.put(f"{path}/{warning['id']}", {"threshold_percent": 70})
    assert (changed.status, changed.json()["limit_percent"]) == (200, 70)
    assert admin.put(f"{path}/{warning['id']}", {"type": "Reject"}).status == 400
    assert admin.delete(f"{path}/{reject['id']}").status == 204
    assert admin.delete(f"{path}/{reject['id']}").status == 404
    assert alice.get(f"{mine}/{reject['id']}").status == 404


def test_anonymous_and_other_callers_are_refused(
    stranger: ApiClient, alice: ApiClient, visit: Callable[[str], ApiClient]
) -> None:
    bob = visit("bob")

    for path in (THEIRS, SUPERUSER_PATH, BOB, "/user/quota"):
        assert stranger.get(path).status == 401, path
    for path in (THEIRS, SUPERUSER_PATH, BOB):
        assert bob.get(path).status == 403, path
    for path in (SUPERUSER_PATH, BOB):
        assert alice.post(path, BYTES).status == 403, path
    assert stranger.post(SUPERUSER_PATH, BYTES).status in (401, 403)


def test_an_unknown_namespace_is_not_found(admin: ApiClient, alice: ApiClient) -> None:
    for path in (
        "/superuser/users/nobody/quota",
        "/superuser/users/acme/quota",
        "/superuser/organization/alice/quota",
        "/organization/alice/quota",
    ):
        assert admin.get(path).status == 404, path


@pytest.mark.parametrize(
    ("scope", "reads", "gives"),
    [
        ("org:admin", [THEIRS], False),
        ("user:admin", ["/user/quota"], False),
        ("super:user", [THEIRS, SUPERUSER_PATH], True),
    ],
)
def test_a_token_is_limited_to_its_scopes(
    admin: ApiClient, app_client: AppClient, scope: str, reads: list[str], gives: bool
) -> None:
    an_organization(app_client.backend)
    client = admin.post("/organization/acme/applications", {"name": "bot"}).json()["client_id"]
    path = f"/organization/acme/applications/{client}/tokens"
    bot = ApiClient(app_client, admin.post(path, {"name": "ci", "scope": scope}).json()["token"])

    for route in (THEIRS, SUPERUSER_PATH, "/user/quota"):
        assert bot.get(route).status == (200 if route in reads else 403), route
    assert bot.post(SUPERUSER_PATH, BYTES).status == (201 if gives else 403)


def test_a_push_above_the_limit_is_denied_in_the_registry_s_words(admin: ApiClient, app_client: AppClient) -> None:
    a_blob(app_client.backend)
    admin.post("/superuser/users/admin/quota", {"limit_bytes": 10})
    (quota,) = admin.get("/user/quota").json()
    admin.post(f"/superuser/users/admin/quota/{quota['id']}/limit", {"type": "Reject", "threshold_percent": 100})
    digest = "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    target = f"/v2/admin/app/blobs/uploads/?digest={digest}"
    refused = app_client.ask("POST", target, app_client.token("admin/app"), b"x")

    assert (refused.status, refused.code) == (403, "DENIED")
    assert "Quota has been exceeded" in refused.json()["errors"][0]["message"]

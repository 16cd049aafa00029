"""Deleted repositories over the API."""

from collections.abc import Callable

from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.builders import push_image

DELETED = "/repository/deleted?namespace=admin"


def test_a_repository_is_deleted_listed_and_restored(admin: ApiClient, app_client: AppClient) -> None:
    push_image(app_client.backend, "v1")
    assert admin.delete("/repository/admin/app").status == 204
    (listed,) = admin.get(DELETED).json()["repositories"]

    assert (listed["namespace"], listed["name"]) == ("admin", "app")
    assert listed["restorable_until"].endswith(" -0000")
    path = f"/repository/deleted/{listed['id']}/restore"
    assert admin.post(path).json() == {"namespace": "admin", "name": "app"}
    assert admin.post(path).status == 404
    assert admin.get(DELETED).json() == {"repositories": []}
    assert admin.get("/repository/admin/app").status == 200


def test_a_taken_name_and_an_invalid_one_are_refused(admin: ApiClient, app_client: AppClient) -> None:
    push_image(app_client.backend, "v1")
    admin.delete("/repository/admin/app")
    push_image(app_client.backend, "v1")
    (listed,) = admin.get(DELETED).json()["repositories"]
    path = f"/repository/deleted/{listed['id']}/restore"

    assert admin.post(path, {}).status == 409
    assert admin.post(path, {"name": "BAD NAME"}).status == 400
    assert admin.post(path, {"name": "other"}).json()["name"] == "other"


def test_a_missing_or_unknown_namespace_is_refused(
    admin: ApiClient, stranger: ApiClient, visit: Callable[[str], ApiClient]
) -> None:
    assert admin.get("/repository/deleted").status == 400
    assert admin.get("/repository/deleted?namespace=none").status == 404
    assert stranger.get(DELETED).status == 401
    assert visit("bob").get(DELETED).status == 403

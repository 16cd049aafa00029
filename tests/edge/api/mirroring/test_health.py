"""The health of mirrors over the API, in Quay's shape."""

from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.mirror_builders import a_mirror, mirror_row
from tests.support.rows import change

HEALTH = "/repository/mirror/health"


def test_health_has_quays_shape(admin: ApiClient) -> None:
    for path in (
        f"{HEALTH}?namespace=admin",
        HEALTH,
        "/superuser/mirror/health",
        "/superuser/mirror/health?namespace=admin",
    ):
        answer = admin.get(path)

        assert answer.status == 200
        assert answer.headers["cache-control"] == "no-cache, no-store, must-revalidate"
        document = answer.json()
        assert document.pop("last_check").endswith("Z")
        assert document == {
            "healthy": True,
            "workers": {"active": 0, "configured": 0, "status": "healthy"},
            "repositories": {"total": 0, "syncing": 0, "completed": 0, "failed": 0, "never_run": 0},
            "tags_pending": 0,
            "issues": [],
        }


def test_details_are_given_page_by_page(admin: ApiClient, app_client: AppClient) -> None:
    for name in ("a", "b", "c"):
        a_mirror(app_client.backend, f"admin/{name}")

    document = admin.get(f"{HEALTH}?namespace=admin&detailed=true&limit=2&offset=1").json()["repositories"]

    assert document["pagination"] == {"limit": 2, "offset": 1, "has_more": False}
    assert [one.pop("repository") in ("a", "b", "c") for one in document["details"]] == [True, True]
    assert document["details"][0] == {
        "namespace": "admin",
        "sync_status": "NEVER_RUN",
        "is_enabled": True,
        "last_sync": None,
        "retries_remaining": 3,
    }
    assert admin.get(f"{HEALTH}?detailed=true&limit=0").json()["repositories"]["pagination"]["limit"] == 1
    assert admin.get(f"{HEALTH}?detailed=true&limit=many").status == 400


def test_failing_mirrors_are_unavailable(admin: ApiClient, app_client: AppClient) -> None:
    change(mirror_row(a_mirror(app_client.backend)), status="FAIL", tries=3)

    answer = admin.get(HEALTH)

    assert (answer.status, answer.json()["healthy"], answer.json()["workers"]["status"]) == (503, False, "degraded")
    assert [issue["severity"] for issue in answer.json()["issues"]] == ["critical", "error"]
    assert answer.json()["issues"][0]["timestamp"] == answer.json()["last_check"]

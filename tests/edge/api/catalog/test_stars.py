"""Stars over the API."""

from collections.abc import Callable

import pytest

from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.builders import a_repository

STARRED = "/user/starred"
APP = {"namespace": "admin", "repository": "app"}


@pytest.fixture(autouse=True)
def _app(app_client: AppClient) -> None:
    a_repository(app_client.backend)


def test_a_repository_is_starred_listed_and_unstarred(admin: ApiClient) -> None:
    assert admin.get(STARRED).json() == {"repositories": []}
    for _ in range(2):
        creation = admin.post(STARRED, APP)
        assert (creation.status, creation.json()) == (201, APP)

    (star,) = admin.get(STARRED).json()["repositories"]
    assert star == {"namespace": "admin", "name": "app", "description": "", "is_public": False}
    assert admin.get("/repository/admin/app").json()["is_starred"]
    for query in ("starred=true", "namespace=admin"):
        (listed,) = admin.get(f"/repository?{query}").json()["repositories"]
        assert (listed["name"], listed["is_starred"]) == ("app", True)
    for _ in range(2):
        assert admin.delete(f"{STARRED}/admin/app").status == 204
    assert admin.get(STARRED).json() == {"repositories": []}


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 400), ({"namespace": "admin"}, 400), ({**APP, "repository": 7}, 400), ({**APP, "repository": "UP"}, 400),
     ({**APP, "repository": "none"}, 404), ({**APP, "namespace": "nobody"}, 403)],
)  # fmt: skip
def test_a_star_for_an_unknown_repository_is_refused(admin: ApiClient, body: dict[str, object], status: int) -> None:
    assert admin.post(STARRED, body).status == status


def test_callers_who_may_not_read_the_repository_are_refused(
    stranger: ApiClient, visit: Callable[[str], ApiClient]
) -> None:
    assert stranger.get(STARRED).status == 401
    for refused in (stranger.post(STARRED, APP), stranger.delete(f"{STARRED}/admin/app")):
        assert refused.status in (401, 403)
    assert visit("bob").post(STARRED, APP).status == 403

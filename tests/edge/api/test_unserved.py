"""Paths of Quay's features that are not served name the feature, and none is taken for a repository's name."""

import re

import pytest

from chalicelib.edge.api.framework.paths import REPOSITORY
from chalicelib.edge.api.unserved import UNSERVED
from tests.architecture.api_coverage import listed, served
from tests.support.api_client import ApiClient

REST = [one for one in listed() if one.place not in served()]


def filled(path: str) -> str:
    digest = f"sha256:{'0' * 64}"
    return re.sub(r"{(\w+)}", lambda found: {"repository": "acme/deep/app", "digest": digest}.get(found[1], "x"), path)


@pytest.mark.parametrize(
    ("path", "feature"),
    [
        ("/repository/a/b/notification/", "notifications"),
        (f"/repository/a/b/manifest/sha256:{'0' * 64}/security", "security scans"),
        ("/repository/a/b/trigger/x/activate", "builds"),
    ],
)
def test_a_path_of_a_feature_that_is_not_served_names_the_feature(
    stranger: ApiClient, admin: ApiClient, path: str, feature: str
) -> None:
    for caller in (stranger, admin):
        for method in ("GET", "POST"):
            answer = caller.ask(method, path)

            assert (answer.status, answer.json()["error_type"]) == (404, "not_found")
            assert answer.json()["detail"].startswith(f"this registry does not serve {feature}: ")


@pytest.mark.parametrize("operation", [one for one in REST if one.path.startswith(REPOSITORY)], ids=lambda one: one.id)
def test_no_path_of_quays_is_taken_for_a_repositorys_name(admin: ApiClient, operation: object) -> None:
    answer = admin.ask(operation.method, filled(operation.path))  # type: ignore[attr-defined]

    assert (answer.status, "does not serve" in answer.json()["detail"]) == (404, True)


def test_what_is_served_meanwhile_is_not_listed_here_any_more() -> None:
    assert UNSERVED.keys() <= {one.path for one in REST}


def test_a_path_that_serves_some_methods_goes_on_serving_them(admin: ApiClient) -> None:
    admin.post("/repository", {"repository": "app", "namespace": "admin", "visibility": "public", "description": ""})

    assert admin.get("/repository/admin/app/build/").json() == {"builds": []}
    assert admin.ask("OPTIONS", "/repository/admin/app/build/").status == 200

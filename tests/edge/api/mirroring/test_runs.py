"""Runs of mirrors over the API."""

import pytest

from tests.edge.api.mirroring.test_mirrors import CREATED, MIRROR, owner  # noqa: F401 - a fixture
from tests.support.api_client import ApiClient


@pytest.fixture
def mirror(owner: ApiClient) -> ApiClient:  # noqa: F811 - the fixture
    assert owner.post(MIRROR, CREATED).status == 201
    return owner


def test_a_run_is_begun_shown_and_cancelled(mirror: ApiClient) -> None:
    assert mirror.post(f"{MIRROR}/sync-now").status == 204
    assert mirror.get(MIRROR).json()["sync_status"] == "SYNC_NOW"
    assert mirror.post(f"{MIRROR}/sync-now").status == 404
    (run,) = mirror.get(f"{MIRROR}/runs").json()["runs"]
    assert (run["cause"], run["asked_by"], run["phase"], run["ended"]) == ("request", "admin", "comparing", None)
    assert mirror.get(f"{MIRROR}/runs/{run['id']}").json()["tags"] == []
    assert mirror.post(f"{MIRROR}/sync-cancel").status == 204
    assert mirror.post(f"{MIRROR}/sync-cancel").status == 404
    assert mirror.get(MIRROR).json()["sync_status"] == "CANCEL"
    assert mirror.get(f"{MIRROR}/runs/{run['id']}").json()["reason"] == "The run was cancelled"


def test_a_plan_has_an_address(mirror: ApiClient) -> None:
    answer = mirror.post(f"{MIRROR}/plan")
    assert (answer.status, answer.json()["cause"], answer.json()["status"]) == (200, "plan", "FAIL")
    assert answer.headers["location"] == f"/api/v1{MIRROR}/runs/{answer.json()['id']}"


def test_a_test_says_what_is_wrong(mirror: ApiClient) -> None:
    answer = mirror.post(f"{MIRROR}/test", {"external_reference": "registry.invalid/app"})
    assert answer.status == 400
    assert "registry.invalid has no address" in answer.json()["detail"]

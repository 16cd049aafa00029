"""Health checks, as monitors read them."""

from unittest import mock

import pytest

from chalicelib.storage.catalog.health import HealthStore
from tests.support.app_client import AppClient
from tests.support.crashes import silence

INSTANCE = {"auth", "database", "disk_space", "registry_gunicorn", "service_key", "storage", "web_gunicorn"}
END_TO_END = {"auth", "database", "redis", "storage"}


@pytest.mark.parametrize("path", ["/health", "/health/instance", "/health/endtoend", "/status"])
def test_a_healthy_registry_says_so_without_a_token(app_client: AppClient, path: str) -> None:
    answer = app_client.ask("GET", path)

    assert answer.status == answer.json()["status_code"] == 200
    parts = answer.json()["data"]["services"]
    assert all(parts.values())
    assert set(parts) == (INSTANCE if path in ("/health", "/health/instance") else END_TO_END)
    assert answer.headers["cache-control"] == "no-cache, no-store, must-revalidate"


@pytest.mark.parametrize(("part", "missing"), [("table", {"auth", "database", "redis"}), ("bucket", {"storage"})])
def test_a_part_that_does_not_answer_is_named(app_client: AppClient, part: str, missing: set[str]) -> None:
    with silence(app_client.backend, part):
        for path, named in (("/health", missing - {"redis"}), ("/health/endtoend", missing), ("/status", missing)):
            answer = app_client.ask("GET", path)

            assert answer.status == answer.json()["status_code"] == 503
            parts = answer.json()["data"]["services"]
            assert {name for name, is_well in parts.items() if not is_well} == named


@pytest.mark.parametrize(("free", "status"), [(0.1, 200), (0.09, 503)])
def test_a_disk_that_fills_up_is_a_warning_and_calls_no_other_service(
    app_client: AppClient, free: float, status: int
) -> None:
    app_client.backend.calls.take()
    with mock.patch.object(HealthStore, "free_disk", return_value=free):
        answer = app_client.ask("GET", "/health/warning")

    assert answer.status == status
    assert answer.json() == {"data": {"services": {"disk_space_warning": status == 200}}, "status_code": status}
    assert answer.headers["cache-control"] == "no-cache, no-store, must-revalidate"
    assert app_client.backend.calls.take() == []


@pytest.mark.parametrize("path", ["/_internal_ping", "/v1/_ping"])
def test_a_ping_calls_no_other_service(app_client: AppClient, path: str) -> None:
    app_client.backend.calls.take()

    answer = app_client.ask("GET", path)

    assert (answer.status, answer.body, app_client.backend.calls.take()) == (200, b"true", [])

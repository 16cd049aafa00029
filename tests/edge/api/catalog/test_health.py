"""Health checks, as monitors read them."""

import pytest

from tests.support.app_client import AppClient
from tests.support.crashes import silence

INSTANCE = {"auth", "database", "disk_space", "registry_gunicorn", "service_key", "storage", "web_gunicorn"}


@pytest.mark.parametrize("path", ["/health", "/health/instance", "/health/endtoend", "/status"])
def test_a_healthy_registry_says_so_without_a_token(app_client: AppClient, path: str) -> None:
    answer = app_client.ask("GET", path)

    assert answer.status == answer.json()["status_code"] == 200
    parts = answer.json()["data"]["services"]
    assert all(parts.values())
    assert set(parts) == (
        INSTANCE if path.startswith("/health") and "end" not in path else {"auth", "database", "storage"}
    )
    assert answer.headers["cache-control"] == "no-cache, no-store, must-revalidate"


@pytest.mark.parametrize(("part", "missing"), [("table", {"auth", "database"}), ("bucket", {"storage"})])
def test_a_part_that_does_not_answer_is_named(app_client: AppClient, part: str, missing: set[str]) -> None:
    with silence(app_client.backend, part):
        for path in ("/health", "/status"):
            answer = app_client.ask("GET", path)

            assert answer.status == answer.json()["status_code"] == 503
            parts = answer.json()["data"]["services"]
            assert {name for name, is_well in parts.items() if not is_well} == missing


@pytest.mark.parametrize("path", ["/_internal_ping", "/v1/_ping"])
def test_a_ping_calls_no_other_service(app_client: AppClient, path: str) -> None:
    app_client.backend.calls.take()

    answer = app_client.ask("GET", path)

    assert (answer.status, answer.body, app_client.backend.calls.take()) == (200, b"true", [])

"""The job `reconcile`, called as EventBridge calls it."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from chalicelib.edge.jobs import reconcile
from infra.local import seed
from tests.support.backends import Backend
from tests.support.builders import a_direct_upload


@pytest.fixture
def backend(new_backend: Callable[..., Backend], monkeypatch: pytest.MonkeyPatch) -> Backend:
    bucket = f"alone-{uuid4().hex}"
    backend = new_backend(bucket=bucket)
    seed.make_bucket(bucket, backend.services.stores.objects.client)
    monkeypatch.setattr(reconcile, "services", lambda: backend.services)
    return backend


def test_a_run_removes_unreferenced_objects_and_reports_them(
    backend: Backend, tick: dict[str, Any], context: type
) -> None:
    a_direct_upload(backend, b"forgotten")
    backend.clock.ahead_s += backend.settings.settled_s + 10

    summary = reconcile.reconcile(tick, context(300_000))

    assert summary == {"looked_at": 1, "removed": 1, "freed_bytes": 9, "ended_round": True}


def test_a_run_ends_by_itself_when_its_time_is_up(backend: Backend, tick: dict[str, Any], context: type) -> None:
    a_direct_upload(backend, b"forgotten")

    assert reconcile.reconcile(tick, context(29_000))["ended_round"] is False

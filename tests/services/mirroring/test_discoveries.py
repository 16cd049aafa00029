"""Discoveries begin by schedule or request, are looked after, cancelled, and left behind by a removed mirror."""

import json
from typing import Any

import pytest

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.mirror_runs import LEASE_S, RunCause
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.timers import ORGANIZATION_MIRROR, Due, Later
from chalicelib.services.accounts.organizations import Organizations
from chalicelib.storage.mirroring.organization_mirrors import OrganizationMirrorRow
from tests.support.backends import Backend
from tests.support.mirror_runs import MirrorRunner
from tests.support.namespaces import UpstreamNamespace, an_organization_mirror, discover, statuses
from tests.support.rows import events, rows_like


def turn(backend: Backend, namespace_id: str, *, has_time: bool = True) -> Later | None:
    due = Due(ORGANIZATION_MIRROR, namespace_id, 0)
    answer: Later | None = backend.services.mirroring.discoveries.work(due, lambda: has_time)
    return answer


def row_of(backend: Backend, namespace_id: str) -> OrganizationMirrorRow:
    row = backend.services.stores.organization_mirrors.get(namespace_id)
    assert row is not None
    return row


def kinds(backend: Backend) -> list[Any]:
    return [event["kind"] for event in events(backend) if str(event["kind"]).startswith("org_mirror_sync")]


def test_a_discovery_begins_when_it_is_due_and_the_next_one_an_interval_later(
    namespace: UpstreamNamespace, runner: MirrorRunner
) -> None:
    backend = runner.backend
    start = int(backend.clock()) + 100
    namespace_id = an_organization_mirror(namespace, backend, start_at=start)
    assert turn(backend, namespace_id) == Later(start)
    assert not runner.queues.waiting

    backend.clock.ahead_s += 101
    again = turn(backend, namespace_id)
    assert again is not None
    assert again.at == pytest.approx(backend.clock() + LEASE_S, abs=2)
    runner.drain()

    row = row_of(backend, namespace_id)
    assert (row.status, row.cause, row.next_at) == (SyncStatus.SUCCESS, RunCause.SCHEDULE, start + 3600)
    assert turn(backend, namespace_id) == Later(start + 3600)
    assert kinds(backend) == ["org_mirror_sync_started", "org_mirror_sync_success"]


def test_a_lost_message_is_sent_again_when_the_lease_is_over(
    namespace: UpstreamNamespace, runner: MirrorRunner
) -> None:
    backend = runner.backend
    namespace_id = an_organization_mirror(namespace, backend)
    backend.services.mirroring.discoveries.request(backend.signed_in("admin"), "acme")
    runner.queues.waiting.clear()

    assert turn(backend, namespace_id) is not None
    runner.drain()

    assert set(statuses(backend)) == set(namespace.names)


def test_a_failed_discovery_is_tried_again_after_a_minute(namespace: UpstreamNamespace, runner: MirrorRunner) -> None:
    backend, namespace.authorization = runner.backend, "Bearer token"
    namespace_id = an_organization_mirror(namespace, backend)
    discover(runner)
    row = row_of(backend, namespace_id)
    assert (row.status, row.tries) == (SyncStatus.FAIL, 1)
    assert "external_registry_username" in row.message
    namespace.authorization = ""
    backend.clock.ahead_s += 61
    turn(backend, namespace_id)
    runner.drain()
    row = row_of(backend, namespace_id)
    assert (row.status, row.tries, row.cause, row.message) == (SyncStatus.SUCCESS, 0, RunCause.REQUEST, "")
    assert [
        json.loads(event["metadata"])["external_reference"] for event in events(backend, "org_mirror_sync_failed")
    ] == [f"{namespace.url}/team"]


def test_one_that_is_open_is_not_begun_twice_and_one_that_is_cancelled_not_cancelled_twice(
    namespace: UpstreamNamespace, runner: MirrorRunner
) -> None:
    backend, actor = runner.backend, runner.backend.signed_in("admin")
    an_organization_mirror(namespace, backend)
    discoveries = backend.services.mirroring.discoveries
    discoveries.request(actor, "acme")
    with pytest.raises(FieldInvalid, match=r"^Cannot trigger sync: mirror is currently syncing$"):
        discoveries.request(actor, "acme")
    discoveries.cancel(actor, "acme")
    with pytest.raises(FieldInvalid, match=r"^Cannot cancel: mirror is already cancelled$"):
        discoveries.cancel(actor, "acme")
    runner.drain()
    assert statuses(backend) == {}


def test_a_cancel_ends_the_runs_that_are_open_and_the_schedules_go_on(
    namespace: UpstreamNamespace, runner: MirrorRunner
) -> None:
    backend, actor = runner.backend, runner.backend.signed_in("admin")
    namespace_id = an_organization_mirror(namespace, backend)
    backend.services.mirroring.discoveries.request(actor, "acme")
    runner.work_one()
    assert set(statuses(backend).values()) == {"SYNC_NOW"}

    backend.services.mirroring.discoveries.cancel(actor, "acme")

    assert set(statuses(backend).values()) == {"CANCEL"}
    row = row_of(backend, namespace_id)
    assert (row.status, row.cancelled) == (SyncStatus.CANCEL, None)
    assert row.next_at is not None
    discover(runner)
    assert set(statuses(backend).values()) == {"SUCCESS"}


def test_a_cancel_that_runs_out_of_time_is_finished_by_the_timer(
    namespace: UpstreamNamespace, runner: MirrorRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, actor = runner.backend, runner.backend.signed_in("admin")
    namespace_id = an_organization_mirror(namespace, backend)
    discoveries = backend.services.mirroring.discoveries
    discoveries.request(actor, "acme")
    runner.work_one()
    with monkeypatch.context() as patch:
        patch.setattr("chalicelib.services.mirroring.discoveries.SETTLED_S", 0.0)
        discoveries.cancel(actor, "acme")
    assert set(statuses(backend).values()) == {"SYNC_NOW"}
    answer = turn(backend, namespace_id, has_time=False)
    assert answer is not None
    assert answer.at <= backend.clock()
    turn(backend, namespace_id)
    assert set(statuses(backend).values()) == {"CANCEL"}


def test_a_removal_that_runs_out_of_time_is_finished_by_the_timer(
    namespace: UpstreamNamespace, runner: MirrorRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, actor = runner.backend, runner.backend.signed_in("admin")
    namespace_id = an_organization_mirror(namespace, backend)
    discover(runner)
    with monkeypatch.context() as patch:
        patch.setattr("chalicelib.services.mirroring.discoveries.SETTLED_S", 0.0)
        backend.services.mirroring.organization_mirrors.delete(actor, "acme")
    assert len(rows_like(backend, f"N#{namespace_id}", "ORGMIRROR#")) == 3
    assert turn(backend, namespace_id) is None
    assert rows_like(backend, f"N#{namespace_id}", "ORGMIRROR#") == []


def test_a_deleted_organization_discovers_nothing(namespace: UpstreamNamespace, runner: MirrorRunner) -> None:
    backend, actor = runner.backend, runner.backend.signed_in("admin")
    namespace_id = an_organization_mirror(namespace, backend)
    backend.services.mirroring.discoveries.request(actor, "acme")
    organizations: Organizations = backend.services.accounts.organizations
    organizations.delete(actor, "acme")
    runner.drain()
    assert rows_like(backend, f"N#{namespace_id}", "REPO#") == []

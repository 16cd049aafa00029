"""Changes of discovered repositories fail once the discovery has ended, whatever a late worker wants."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.services.mirroring.discovered_repositories import OrganizationSource
from chalicelib.services.mirroring.pulse import RunStopped
from tests.support.backends import Backend
from tests.support.crashes import just_before_commit
from tests.support.mirror_runs import MirrorRunner
from tests.support.namespaces import UpstreamNamespace, an_organization_mirror, discover, statuses
from tests.support.rows import rows_like


def opened(backend: Backend, namespace_id: str) -> OrganizationSource:
    """Begins a discovery and returns it as a worker reads it."""
    room = backend.services.mirroring
    room.discoveries.request(backend.signed_in("admin"), "acme")
    row = backend.services.stores.organization_mirrors.get(namespace_id)
    source = room.discoveries.load(namespace_id, row.discovery)
    assert source is not None
    return source


def cancel(backend: Backend) -> None:
    backend.services.mirroring.discoveries.cancel(backend.signed_in("admin"), "acme")


def remove(backend: Backend) -> None:
    backend.services.mirroring.organization_mirrors.delete(backend.signed_in("admin"), "acme")


@pytest.mark.parametrize("end", [cancel, remove])
def test_a_late_worker_makes_no_repository(
    namespace: UpstreamNamespace, runner: MirrorRunner, end: Callable[[Backend], None]
) -> None:
    backend = runner.backend
    namespace_id = an_organization_mirror(namespace, backend)
    repositories, source = backend.services.mirroring.discovered_repositories, opened(backend, namespace_id)

    with just_before_commit(backend, lambda: end(backend)), pytest.raises(RunStopped):
        repositories.mirror(source, "a")
    for call in (
        lambda: repositories.mirror(source, "a"),
        lambda: repositories.mirror(source, "Upper"),
        lambda: repositories.leave_out(source, "a", "why"),
    ):
        with pytest.raises(RunStopped):
            call()

    assert rows_like(backend, f"N#{namespace_id}", "REPO#") == []
    assert rows_like(backend, f"N#{namespace_id}", "ORGMIRROR#") == []


def test_a_repository_that_appears_meanwhile_is_skipped(namespace: UpstreamNamespace, runner: MirrorRunner) -> None:
    backend = runner.backend
    namespace_id = an_organization_mirror(namespace, backend)
    repositories, source = backend.services.mirroring.discovered_repositories, opened(backend, namespace_id)
    stores = backend.services.stores
    with just_before_commit(backend, lambda: repositories.mirror(source, "a")):
        repositories.mirror(source, "a")
    assert len(rows_like(backend, f"N#{namespace_id}", "REPO#a")) == 1
    assert stores.organization_mirrors.discovered(namespace_id)[0].state == "mirrored"


def test_what_was_never_discovered_is_not_left_out(namespace: UpstreamNamespace, runner: MirrorRunner) -> None:
    namespace_id = an_organization_mirror(namespace, runner.backend)
    source = opened(runner.backend, namespace_id)
    runner.backend.services.mirroring.discovered_repositories.leave_out(source, "a", "why")
    assert statuses(runner.backend) == {}


def test_a_repository_costs_one_transaction_and_one_that_is_settled_nothing(
    namespace: UpstreamNamespace, runner: MirrorRunner
) -> None:
    backend = runner.backend
    namespace_id = an_organization_mirror(namespace, backend)
    repositories, source = backend.services.mirroring.discovered_repositories, opened(backend, namespace_id)
    repositories.mirror(source, "a")
    backend.calls.take()
    repositories.mirror(source, "b")
    assert backend.calls.take() == ["BatchGetItem", "Query", "TransactWriteItems"]
    cancel(backend)
    discover(runner)
    backend.services.mirroring.discoveries.request(backend.signed_in("admin"), "acme")
    backend.calls.take()
    runner.work_one()
    calls: list[Any] = backend.calls.take()
    # Three more for each repository's run, which the request begins.
    assert len(calls) - calls.count("TransactWriteItems") <= 20

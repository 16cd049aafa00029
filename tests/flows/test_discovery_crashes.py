"""A worker of an organization's mirror dies at any of its AWS calls: the timers complete the discovery."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count

import pytest

from chalicelib.domain.mirror_runs import LEASE_S
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.organization_mirrors import SKIP
from chalicelib.domain.timers import ORGANIZATION_MIRROR, Due
from tests.flows.test_mirror_crashes import dying
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.crashes import Crash
from tests.support.mirror_runs import MirrorRunner
from tests.support.namespaces import UpstreamNamespace, an_organization_mirror, discover, statuses
from tests.support.rows import repository_of, rows_like

TURNS = 8


@pytest.fixture
def namespace() -> Iterator[UpstreamNamespace]:
    with UpstreamNamespace().running() as running:
        assert isinstance(running, UpstreamNamespace)
        running.add_image("v1")
        yield running


@pytest.fixture
def runner(new_backend: Callable[..., Backend]) -> MirrorRunner:
    return MirrorRunner(new_backend(outgoing_allow="127.0.0.0/8"))


def recover(runner: MirrorRunner, namespace_id: str) -> None:
    """Lets the timers look after a mirror and its repositories until the discovery and all runs have ended."""
    backend = runner.backend
    for _ in range(TURNS):
        runner.queues.waiting.clear()
        backend.clock.ahead_s += LEASE_S + 1
        backend.services.mirroring.discoveries.work(Due(ORGANIZATION_MIRROR, namespace_id, 0), lambda: True)
        for row in backend.services.stores.organization_mirrors.discovered(namespace_id):
            if row.repository_id:
                runner.timer(repository_of(backend, f"{organization_of(backend, namespace_id)}/{row.name}"))
        runner.drain()
        mirror = backend.services.stores.organization_mirrors.get(namespace_id)
        is_running = any(SyncStatus(one).is_running for one in found(backend, namespace_id) if one != SKIP)
        if mirror is not None and mirror.status is SyncStatus.SUCCESS and not is_running:
            return
    raise AssertionError("the discovery does not end")


def found(backend: Backend, namespace_id: str) -> list[str]:
    return list(statuses(backend, organization_of(backend, namespace_id)).values())


def organization_of(backend: Backend, namespace_id: str) -> str:
    namespace = backend.services.stores.accounts.namespace(namespace_id)
    assert namespace is not None
    return str(namespace.name)


def test_a_discovery_is_completed_after_a_death_at_any_call(namespace: UpstreamNamespace, runner: MirrorRunner) -> None:
    backend = runner.backend
    for number in count(1):
        organization = f"acme{number}"
        namespace.names = ["same", "gone"]
        namespace_id = an_organization_mirror(namespace, backend, organization)
        discover(runner, organization)
        namespace.names = ["same", "new", "Upper"]
        with dying(backend, number) as dead, suppress(Crash):
            discover(runner, organization)
        if not dead:
            assert number > 10
            return
        if not backend.services.stores.organization_mirrors.get(namespace_id).status.is_running:
            # It died before the discovery was opened, or in a run after it.
            discover(runner, organization)
        recover(runner, namespace_id)
        assert statuses(backend, organization) == {"Upper": "FAIL", "gone": "SKIP", "new": "SUCCESS", "same": "SUCCESS"}
        invariants.check(backend)


def test_a_removal_is_completed_after_a_death_at_any_call(namespace: UpstreamNamespace, runner: MirrorRunner) -> None:
    backend, actor, namespace.names = runner.backend, runner.backend.signed_in("admin"), ["a", "b"]
    for number in count(1):
        organization = f"gone{number}"
        namespace_id = an_organization_mirror(namespace, backend, organization)
        discover(runner, organization)
        room = backend.services.mirroring
        with dying(backend, number) as dead, suppress(Crash):
            room.organization_mirrors.delete(actor, organization)
        if not dead:
            assert number > 2
            return
        if backend.services.stores.organization_mirrors.get(namespace_id) is not None:
            room.organization_mirrors.delete(actor, organization)
        room.discoveries.settle(namespace_id)
        assert rows_like(backend, f"N#{namespace_id}", "ORGMIRROR") == []
        assert [row["mode"] for row in rows_like(backend, f"N#{namespace_id}", "REPO#")] == ["NORMAL"] * 2
        invariants.check(backend)

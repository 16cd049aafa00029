"""The health of mirrors counts those whose schedule may begin runs, and names what is wrong with some."""

from collections import Counter

import pytest

from chalicelib.domain.errors import Denied, ResourceUnknown, Unauthenticated
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS
from chalicelib.domain.repositories import Mode
from chalicelib.domain.teams import TeamRole
from chalicelib.services.mirroring.health import HealthOfMirrors, MirrorPage
from tests.support.backends import Backend
from tests.support.builders import a_team, an_organization
from tests.support.mirror_builders import a_mirror, mirror_row
from tests.support.rows import change

DAY_S = 86_400


def mirrors(backend: Backend, *statuses: SyncStatus, tries: int = 3, synced_at: int | None = None) -> None:
    """Creates a mirror in each status."""
    for number, status in enumerate(statuses):
        repository = a_mirror(backend, f"admin/{status.lower()}{number}")
        change(mirror_row(repository), status=status, tries=tries, synced_at=synced_at)


def health(backend: Backend, page: MirrorPage | None = None) -> HealthOfMirrors:
    return backend.services.mirroring.health.of_all(backend.signed_in("admin"), page or MirrorPage())


def messages(backend: Backend) -> list[tuple[str, str]]:
    return [(issue.severity, issue.message) for issue in health(backend).issues]


def test_only_enabled_mirrors_in_the_state_mirror_count(backend: Backend) -> None:
    for name in ("on", "normal", "gone"):
        a_mirror(backend, f"admin/{name}")
    a_mirror(backend, "admin/off", is_enabled=False)
    admin, repositories = backend.signed_in("admin"), backend.services.registry.repositories
    repositories.change_mode(admin, RepositoryName.parse("admin/normal"), Mode.NORMAL)
    repositories.delete(admin, RepositoryName.parse("admin/gone"))

    assert health(backend).counts == Counter({SyncStatus.NEVER_RUN: 1})
    assert messages(backend) == [("warning", "Repository admin/on has never been synced")]


@pytest.mark.parametrize(("failed", "is_healthy"), [(1, True), (2, False)])
def test_all_is_unhealthy_once_more_than_a_fifth_of_those_that_ran_failed(
    backend: Backend, failed: int, is_healthy: bool
) -> None:
    mirrors(backend, *[SyncStatus.FAIL] * failed, *[SyncStatus.SUCCESS] * (5 - failed), SyncStatus.NEVER_RUN, tries=1)

    found = health(backend)

    assert found.is_healthy is is_healthy
    criticals = [issue.message for issue in found.issues if issue.severity == "critical"]
    assert criticals == ([] if is_healthy else ["40.0% of repositories are failing (threshold: 20.0%)"])


def test_stale_and_failing_mirrors_are_named_five_of_each(backend: Backend) -> None:
    now = int(backend.clock())
    mirrors(backend, *[SyncStatus.SUCCESS] * 6, synced_at=now - DAY_S - 5)
    mirrors(backend, SyncStatus.FAIL, SyncStatus.SYNCING, synced_at=now - 5)
    found = messages(backend)

    stale = [message for severity, message in found if severity == "warning"]
    assert len(stale) == 5
    assert all(message.endswith("hasn't synced in over 24 hours") for message in stale)
    assert [one for one in found if one[0] == "error"] == [
        ("error", "Repository admin/fail0 has exhausted all retry attempts")
    ]


def test_a_mirror_that_succeeded_today_is_no_issue(backend: Backend) -> None:
    mirrors(backend, SyncStatus.SUCCESS, synced_at=int(backend.clock()) - DAY_S + 60)

    assert messages(backend) == []


def test_a_page_shows_some_mirrors_and_says_whether_there_are_more(backend: Backend) -> None:
    mirrors(backend, *[SyncStatus.SUCCESS] * 3)
    shown = [health(backend, MirrorPage(2, offset)) for offset in (0, 2, 4)]

    assert [(len(one.page), one.has_more) for one in shown] == [(2, True), (1, False), (0, False)]
    names = [state.repository for one in shown for state in one.page]
    assert sorted(names) == ["admin/success0", "admin/success1", "admin/success2"]


def test_members_see_their_namespace_and_superusers_all(backend: Backend) -> None:
    service, page = backend.services.mirroring.health, MirrorPage(10)
    for name in ("owner", "reader", "stranger"):
        backend.user(name)
    an_organization(backend, owner="owner")
    a_team(backend, "readers", TeamRole.MEMBER, "reader", by="owner")
    a_mirror(backend)

    for name in ("owner", "reader", "admin"):
        assert service.of_namespace(backend.signed_in(name), "acme", page).page == []
    assert len(service.of_namespace(backend.signed_in("admin"), "admin", page).page) == 1
    assert service.of_all(backend.signed_in("admin"), page, "acme").page == []
    for namespace in ("acme", "admin"):
        with pytest.raises(Denied):
            service.of_namespace(backend.signed_in("stranger"), namespace, page)
        with pytest.raises(Unauthenticated):
            service.of_namespace(ANONYMOUS, namespace, page)
    with pytest.raises(ResourceUnknown):
        service.of_namespace(backend.signed_in("stranger"), "nobody", page)
    with pytest.raises(Denied):
        service.of_all(backend.signed_in("owner"), page, "acme")


def test_it_costs_eight_queries_and_one_read_of_names(backend: Backend) -> None:
    mirrors(backend, *[SyncStatus.NEVER_RUN] * 3)
    admin = backend.signed_in("admin")
    backend.calls.take()

    backend.services.mirroring.health.of_all(admin, MirrorPage(100))

    assert backend.calls.take() == ["Query"] * 8 + ["BatchGetItem"]

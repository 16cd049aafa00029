"""Mirrors of organizations are set up, changed and removed as a whole, with their robot and their schedule."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.accounts import RobotName
from chalicelib.domain.errors import (
    Denied,
    FieldInvalid,
    MirrorInvalid,
    NamespaceFilled,
    ResourceUnknown,
    RobotInUse,
    Unauthenticated,
)
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.organization_mirrors import SourceKind
from chalicelib.domain.permissions import ANONYMOUS, Role
from chalicelib.domain.repositories import Mode
from chalicelib.domain.states import NamespaceUpstream
from chalicelib.domain.timers import ORGANIZATION_MIRROR, Due
from chalicelib.services.mirroring import discoveries
from chalicelib.services.registry.repositories import NewRepository
from tests.support.backends import Backend
from tests.support.builders import an_organization
from tests.support.crashes import just_before_commit
from tests.support.mirror_builders import SETTINGS, SOURCE, a_robot, changes
from tests.support.mirror_runs import MirrorRunner
from tests.support.namespaces import (
    UpstreamNamespace,
    an_organization_mirror,
    discover,
    organization_changes,
    statuses,
)
from tests.support.rows import due_at, events, rows_like


def service(backend: Backend) -> Any:
    return backend.services.mirroring.organization_mirrors


def alter(backend: Backend, robot: str | None = None, source: dict[str, Any] | None = None, **settings: Any) -> None:
    service(backend).change(backend.signed_in("admin"), "acme", changes(robot, source, **settings))


def recorded(backend: Backend, kind: str) -> list[dict[str, Any]]:
    return [json.loads(event["metadata"]) for event in events(backend, kind)]


def test_a_new_mirror_has_all_its_settings_and_is_due_at_its_start(
    namespace: UpstreamNamespace, mirrored: Backend
) -> None:
    start = int(mirrored.clock()) + 1000
    settings: dict[str, Any] = {
        "source": {"username": "u", "password": 'p\\"\n☃'},
        "kind": SourceKind.HARBOR,
        "start_at": start,
    }
    namespace_id = an_organization_mirror(namespace, mirrored, filters=("a*",), timeout_s=60, **settings)

    view = service(mirrored).get(mirrored.signed_in("admin"), "acme")

    assert (view.robot, view.counts.total(), view.row.status) == ("acme+mirror", 0, SyncStatus.NEVER_RUN)
    assert (view.settings.kind, view.settings.filters, view.settings.timeout_s) == ("harbor", ("a*",), 60)
    assert (view.settings.source.username, view.settings.source.password) == ("u", 'p\\"\n☃')
    assert due_at(ORGANIZATION_MIRROR, namespace_id) == start
    assert mirrored.services.stores.accounts.namespace(namespace_id).upstream is NamespaceUpstream.ORG_MIRROR
    assert recorded(mirrored, "org_mirror_enabled") == [
        {
            "external_registry_type": "harbor",
            "external_registry_url": namespace.url,
            "external_namespace": "team",
            "sync_interval": 3600,
            "robot_username": "acme+mirror",
        }
    ]


def test_the_table_and_the_log_hold_no_secret(namespace: UpstreamNamespace, mirrored: Backend) -> None:
    secret = "s3cr3t"
    an_organization_mirror(namespace, mirrored, source={"username": "u", "password": secret})
    alter(mirrored, source={"username": "u", "password": f"{secret}2", "http_proxy": f"http://p:{secret}@127.0.0.1"})
    assert [row for row in rows_like(mirrored) if secret in str(row)] == []
    assert recorded(mirrored, "org_mirror_config_changed") == [
        {
            "updated_fields": ["external_registry_password", "external_registry_config"],
            "old_external_reference": f"{namespace.url}/team",
            "external_reference": f"{namespace.url}/team",
        }
    ]


def test_only_administrators_see_and_change_it(namespace: UpstreamNamespace, mirrored: Backend) -> None:
    an_organization_mirror(namespace, mirrored)
    mirrored.user("stranger")
    room, new = mirrored.services.mirroring, organization_changes(namespace)
    calls: list[Callable[[Any], object]] = [
        lambda actor: service(mirrored).get(actor, "acme"),
        lambda actor: service(mirrored).create(actor, "acme", new),
        lambda actor: service(mirrored).change(actor, "acme", new),
        lambda actor: service(mirrored).delete(actor, "acme"),
        lambda actor: service(mirrored).repositories(actor, "acme"),
        lambda actor: room.discoveries.request(actor, "acme"),
        lambda actor: room.discoveries.cancel(actor, "acme"),
        lambda actor: room.organization_probes.verify(actor, "acme"),
    ]
    for call in calls:
        with pytest.raises(Denied):
            call(mirrored.signed_in("stranger"))
        with pytest.raises(Unauthenticated):
            call(ANONYMOUS)


def test_an_organization_without_a_mirror_has_none(mirrored: Backend) -> None:
    an_organization(mirrored)
    actor, room = mirrored.signed_in("admin"), mirrored.services.mirroring
    for call in (service(mirrored).get, service(mirrored).delete, service(mirrored).repositories):
        with pytest.raises(ResourceUnknown):
            call(actor, "acme")
    for call in (room.discoveries.request, room.discoveries.cancel, room.organization_probes.verify):
        with pytest.raises(ResourceUnknown):
            call(actor, "acme")
    with pytest.raises(ResourceUnknown):
        alter(mirrored, interval_s=60)


@pytest.mark.parametrize(
    ("robot", "settings", "why"),
    [
        ("acme+other", {}, r"^Invalid robot account: acme\+other$"),
        ("nonsense", {}, "^Invalid robot account: nonsense$"),
        ("admin+mirror", {}, "^Robot account must belong to the organization$"),
        ("acme+mirror", {"url": "https://10.0.0.1"}, "^The provided registry URL is not allowed: 10.0.0.1"),
        ("acme+mirror", {"source": {"verify_tls": True}}, "verify_tls is false"),
        ("acme+mirror", {"source": {"http_proxy": "http://10.0.0.1"}}, "proxy.http_proxy"),
    ],
)
def test_a_setting_that_cannot_work_stores_nothing(
    namespace: UpstreamNamespace, mirrored: Backend, robot: str, settings: dict[str, Any], why: str
) -> None:
    an_organization(mirrored)
    a_robot(mirrored, "acme+mirror", by="admin")
    a_robot(mirrored, "admin+mirror")
    before = rows_like(mirrored)
    with pytest.raises(FieldInvalid, match=why):
        service(mirrored).create(
            mirrored.signed_in("admin"), "acme", organization_changes(namespace, robot, **settings)
        )
    assert rows_like(mirrored) == before


def test_a_second_mirror_is_refused(namespace: UpstreamNamespace, mirrored: Backend) -> None:
    an_organization_mirror(namespace, mirrored)
    with pytest.raises(FieldInvalid, match=r"^Mirror configuration already exists for this organization$"):
        service(mirrored).create(mirrored.signed_in("admin"), "acme", organization_changes(namespace))


def test_its_robot_cannot_be_deleted_until_another_one_mirrors(namespace: UpstreamNamespace, mirrored: Backend) -> None:
    an_organization_mirror(namespace, mirrored)
    robots, actor = mirrored.services.accounts.robots, mirrored.signed_in("admin")
    with pytest.raises(RobotInUse):
        robots.delete(actor, RobotName.parse("acme+mirror"))
    alter(mirrored, a_robot(mirrored, "acme+other", by="admin"))
    robots.delete(actor, RobotName.parse("acme+mirror"))
    assert service(mirrored).get(actor, "acme").robot == "acme+other"


def test_a_password_alone_stays_where_nothing_is_said_of_it(namespace: UpstreamNamespace, mirrored: Backend) -> None:
    an_organization_mirror(namespace, mirrored, source={"username": "u", "password": "p"})
    alter(mirrored, interval_s=60)
    settings = service(mirrored).get(mirrored.signed_in("admin"), "acme").settings
    assert (settings.source.password, settings.interval_s) == ("p", 60)
    alter(mirrored, interval_s=60)
    assert len(recorded(mirrored, "org_mirror_config_changed")) == 1


def test_meanwhile_nobody_makes_repositories_or_mirrors_by_hand(
    namespace: UpstreamNamespace, runner: MirrorRunner
) -> None:
    backend, actor = runner.backend, runner.backend.signed_in("admin")
    an_organization(backend)
    backend.services.registry.repositories.create(actor, NewRepository(RepositoryName.parse("acme/own")))
    a_robot(backend, "acme+mirror", by="admin")
    service(backend).create(actor, "acme", organization_changes(namespace))
    discover(runner)
    mirrors, repositories = backend.services.mirroring.mirrors, backend.services.registry.repositories
    with pytest.raises(NamespaceFilled, match="come from another registry until an administrator removes the mirror"):
        repositories.create(actor, NewRepository(RepositoryName.parse("acme/new")))
    with pytest.raises(MirrorInvalid, match="from another registry as a whole"):
        mirrors.create(actor, RepositoryName.parse("acme/own"), changes("acme+mirror", SOURCE, **SETTINGS))
    for call in (
        lambda name: mirrors.change(actor, name, changes(interval_s=5)),
        lambda name: mirrors.delete(actor, name),
    ):
        with pytest.raises(MirrorInvalid, match="from another registry as a whole"):
            call(RepositoryName.parse("acme/a"))
    with pytest.raises(NamespaceFilled):
        repositories.change_mode(actor, RepositoryName.parse("acme/a"), Mode.NORMAL)
    assert mirrors.get(actor, RepositoryName.parse("acme/a")).settings.patterns == ("*",)


def test_a_repository_that_is_made_while_a_mirror_is_set_up_loses(
    namespace: UpstreamNamespace, mirrored: Backend
) -> None:
    an_organization(mirrored)
    a_robot(mirrored, "acme+mirror", by="admin")
    actor, name = mirrored.signed_in("admin"), RepositoryName.parse("acme/new")

    def set_up() -> None:
        service(mirrored).create(actor, "acme", organization_changes(namespace, start_at=int(mirrored.clock()) + 99))

    with just_before_commit(mirrored, set_up), pytest.raises(NamespaceFilled):
        mirrored.services.registry.repositories.create(actor, NewRepository(name))
    assert rows_like(mirrored, "N#", "REPO#new") == []


def test_a_removed_mirror_leaves_normal_repositories_and_a_free_robot(
    namespace: UpstreamNamespace, runner: MirrorRunner
) -> None:
    namespace_id = an_organization_mirror(namespace, runner.backend)
    discover(runner)
    backend, actor = runner.backend, runner.backend.signed_in("admin")
    assert statuses(backend) == {"a": "SUCCESS", "b": "SUCCESS", "deep/c": "SUCCESS"}

    service(backend).delete(actor, "acme")

    for name in ("acme/a", "acme/b", "acme/deep/c"):
        access = backend.services.security.access.require_role(actor, RepositoryName.parse(name), Role.ADMIN)
        assert (access.row.mode, access.row.mirror_robot) == (Mode.NORMAL, None)
    assert rows_like(backend, f"N#{namespace_id}", "ORGMIRROR") == []
    assert rows_like(backend, "R#", "MIRROR") == []
    backend.services.accounts.robots.delete(actor, RobotName.parse("acme+mirror"))
    backend.services.registry.repositories.create(actor, NewRepository(RepositoryName.parse("acme/new")))
    assert recorded(backend, "org_mirror_disabled") == [{"external_reference": f"{namespace.url}/team"}]


def test_a_new_mirror_waits_until_what_the_former_one_made_is_left(
    namespace: UpstreamNamespace, runner: MirrorRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    namespace_id = an_organization_mirror(namespace, runner.backend)
    discover(runner)
    backend, actor = runner.backend, runner.backend.signed_in("admin")
    monkeypatch.setattr(discoveries, "SETTLED_S", -1.0)
    service(backend).delete(actor, "acme")

    with pytest.raises(FieldInvalid, match="still being left: try again in a minute"):
        service(backend).create(actor, "acme", organization_changes(namespace))
    backend.services.mirroring.discoveries.work(Due(ORGANIZATION_MIRROR, namespace_id, 0), lambda: True)
    service(backend).create(actor, "acme", organization_changes(namespace))


def test_a_late_removal_leaves_what_the_next_mirror_made(namespace: UpstreamNamespace, runner: MirrorRunner) -> None:
    namespace_id = an_organization_mirror(namespace, runner.backend)
    discover(runner)
    assert runner.backend.services.mirroring.discovered_repositories.leave_all(namespace_id, lambda: True)
    assert statuses(runner.backend) == {"a": "SUCCESS", "b": "SUCCESS", "deep/c": "SUCCESS"}

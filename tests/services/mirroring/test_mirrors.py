"""Mirrors are set up, changed and removed as a whole, with their robot, its role and their schedule."""

import json
from typing import Any

import pytest

from chalicelib.domain.accounts import RobotName
from chalicelib.domain.errors import (
    DataInvalid,
    Denied,
    MirrorTaken,
    ResourceUnknown,
    RobotInUse,
    RobotUnknown,
    Unauthenticated,
)
from chalicelib.domain.ids import ulid
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, HolderKind, Role
from chalicelib.domain.repositories import Mode
from chalicelib.domain.timers import MIRROR
from chalicelib.storage import keys
from chalicelib.storage.registry.repositories import RepositoryNameRow, RepositoryRow
from chalicelib.storage.table import get
from tests.support.backends import Backend
from tests.support.builders import a_repository, an_actor_with_role, an_organization
from tests.support.crashes import just_before_commit
from tests.support.mirror_builders import SETTINGS, SOURCE, a_mirror, a_robot, changes, mirror_row
from tests.support.rows import change, due_at, events, rows_like

NAME = RepositoryName.parse("admin/app")


def service(backend: Backend) -> Any:
    return backend.services.mirroring.mirrors


def alter(backend: Backend, robot: str | None = None, source: dict[str, Any] | None = None, **settings: Any) -> None:
    service(backend).change(backend.signed_in("admin"), NAME, changes(robot, source, **settings))


def modes(backend: Backend, repository_id: str) -> list[Mode]:
    by_name = get(RepositoryNameRow, keys.repository_name(backend.account().id, "app"))
    by_id = get(RepositoryRow, keys.repository(repository_id))
    return [by_name.mode, by_id.mode]


def role_of(backend: Backend, robot: str = "admin+mirror") -> Role:
    permissions = backend.services.accounts.permissions
    return permissions.get(backend.signed_in("admin"), NAME, HolderKind.USER, robot).role


def recorded(backend: Backend, kind: str) -> list[dict[str, Any]]:
    return [json.loads(event["metadata"]) for event in events(backend, kind)]


def test_a_new_mirror_has_all_its_settings_and_its_robot(backend: Backend) -> None:
    source = {**SOURCE, "username": "u", "password": 'p\\"\n☃', "verify_tls": False, "http_proxy": "http://proxy"}
    repository = a_mirror(backend, source=source, architectures=("arm64",), timeout_s=600)

    view = service(backend).get(backend.signed_in("admin"), NAME)

    assert view.robot == "admin+mirror"
    assert (view.settings.source.username, view.settings.source.password) == ("u", 'p\\"\n☃')
    assert (view.settings.source.verify_tls, view.settings.architectures) == (False, ("arm64",))
    assert (view.row.status, view.row.robot_id) == (SyncStatus.NEVER_RUN, backend.account("admin+mirror").id)
    assert modes(backend, repository.id) == [Mode.MIRROR, Mode.MIRROR]


def test_the_table_and_the_log_hold_no_secret(backend: Backend) -> None:
    secret = "s3cr3t"
    a_mirror(backend, source={**SOURCE, "username": "u", "password": secret, "http_proxy": f"http://p:{secret}@proxy"})
    alter(backend, source={"https_proxy": f"http://p:{secret}@proxy", "password": f"{secret}2"})

    assert [row for row in rows_like(backend) if secret in str(row)] == []
    to = {one["changed"]: one["to"] for one in recorded(backend, "repo_mirror_config_changed")}
    assert to["https_proxy"] == "http://p:********@proxy"
    assert to["external_registry_password"] == "********"


def test_the_robot_gets_the_role_write_where_it_has_less(backend: Backend) -> None:
    a_mirror(backend)
    assert role_of(backend) is Role.WRITE
    assert recorded(backend, "add_repo_permission")[-1]["username"] == "admin+mirror"

    for role, becomes in ((Role.READ, Role.WRITE), (Role.ADMIN, Role.ADMIN)):
        backend.services.accounts.permissions.put(
            backend.signed_in("admin"), NAME, HolderKind.USER, "admin+mirror", role
        )
        alter(backend, robot="admin+mirror")

        assert role_of(backend) is becomes


@pytest.mark.parametrize(
    ("robot", "error"),
    [("nobody", RobotUnknown), ("admin+none", RobotUnknown), ("", RobotUnknown), ("acme+ci", DataInvalid)],
)
def test_only_a_robot_of_the_namespace_mirrors(backend: Backend, robot: str, error: type[Exception]) -> None:
    repository, before = a_repository(backend), rows_like(backend)
    an_organization(backend)
    a_robot(backend, "acme+ci", by="admin")

    with pytest.raises(error):
        service(backend).create(backend.signed_in("admin"), NAME, changes(robot, SOURCE, **SETTINGS))

    assert modes(backend, repository.id) == [Mode.NORMAL, Mode.NORMAL]
    assert rows_like(backend, f"R#{repository.id}") == [row for row in before if row["pk"] == f"R#{repository.id}"]


def test_there_is_one_mirror(backend: Backend) -> None:
    a_mirror(backend)

    with pytest.raises(MirrorTaken, match="Mirror configuration already exits for repository admin/app"):
        a_mirror(backend)


def test_only_administrators_see_and_change_a_mirror(backend: Backend) -> None:
    a_mirror(backend)
    backend.user("writer")
    an_actor_with_role(backend, "writer", Role.WRITE)
    for actor, error in ((backend.signed_in("writer"), Denied), (ANONYMOUS, Unauthenticated)):
        for ask in (
            lambda who: service(backend).get(who, NAME),
            lambda who: service(backend).create(who, NAME, changes("admin+mirror", SOURCE, **SETTINGS)),
            lambda who: service(backend).change(who, NAME, changes()),
            lambda who: service(backend).delete(who, NAME),
        ):
            with pytest.raises(error):
                ask(actor)


def test_without_a_mirror_there_is_nothing_to_see_change_or_remove(backend: Backend) -> None:
    a_repository(backend)
    admin = backend.signed_in("admin")
    for ask in (
        lambda: service(backend).get(admin, NAME),
        lambda: service(backend).change(admin, NAME, changes()),
        lambda: service(backend).delete(admin, NAME),
    ):
        with pytest.raises(ResourceUnknown):
            ask()


def test_a_change_is_recorded_field_by_field_and_nothing_else_changes(backend: Backend) -> None:
    repository = a_mirror(backend)
    before = mirror_row(repository)

    alter(backend, interval_s=60, patterns=("3.*",), is_enabled=True)

    assert {one["changed"]: one["to"] for one in recorded(backend, "repo_mirror_config_changed")} == {
        "external_reference": "registry.example.com/team/app",
        "sync_interval": 60,
        "mirror_rule": ["3.*"],
    }
    after = mirror_row(repository)
    assert (after.interval_s, after.patterns, after.reference) == (60, '["3.*"]', before.reference)
    assert (after.settings_version, after.version) == (before.settings_version + 1, before.version + 1)


def test_a_change_to_what_is_there_writes_nothing(backend: Backend) -> None:
    repository = a_mirror(backend)
    before = rows_like(backend)

    alter(backend, robot="admin+mirror", interval_s=3600, source=dict(SOURCE))

    assert rows_like(backend) == before
    assert mirror_row(repository).version == 0


def test_another_robot_takes_over(backend: Backend) -> None:
    repository = a_mirror(backend)
    former = backend.account("admin+mirror").id

    alter(backend, robot=a_robot(backend, "admin+other"))

    row, other = mirror_row(repository), backend.account("admin+other").id
    assert row.robot_id == other != former
    assert get(RepositoryNameRow, keys.repository_name(backend.account().id, "app")).mirror_robot == other
    assert rows_like(backend, f"A#{former}", "MIRROR#") == []
    assert len(rows_like(backend, f"A#{other}", "MIRROR#")) == 1
    assert role_of(backend, "admin+other") is Role.WRITE


def test_a_robot_that_mirrors_is_not_deleted(backend: Backend) -> None:
    a_mirror(backend)
    admin, robots, name = backend.signed_in("admin"), backend.services.accounts.robots, RobotName.parse("admin+mirror")

    with pytest.raises(RobotInUse, match="Robot is being used by a mirror"):
        robots.delete(admin, name)
    assert role_of(backend) is Role.WRITE

    service(backend).delete(admin, NAME)
    robots.delete(admin, name)


def test_a_robot_that_is_deleted_meanwhile_mirrors_nothing(backend: Backend) -> None:
    repository = a_repository(backend)
    a_robot(backend)
    admin, name = backend.signed_in("admin"), RobotName.parse("admin+mirror")

    with (
        pytest.raises(RobotUnknown),
        just_before_commit(backend, lambda: backend.services.accounts.robots.delete(admin, name)),
    ):
        service(backend).create(admin, NAME, changes("admin+mirror", SOURCE, **SETTINGS))

    assert modes(backend, repository.id) == [Mode.NORMAL, Mode.NORMAL]


def test_a_robot_that_begins_to_mirror_meanwhile_stays(backend: Backend) -> None:
    robots, name = backend.services.accounts.robots, RobotName.parse("admin+mirror")
    a_repository(backend)
    a_robot(backend)

    with pytest.raises(RobotInUse), just_before_commit(backend, lambda: a_mirror(backend)):
        robots.delete(backend.signed_in("admin"), name)

    assert service(backend).get(backend.signed_in("admin"), NAME).robot == "admin+mirror"


def test_two_changes_at_once_are_both_kept(backend: Backend) -> None:
    repository = a_mirror(backend)

    with just_before_commit(backend, lambda: alter(backend, interval_s=60)):
        alter(backend, timeout_s=900)

    row = mirror_row(repository)
    assert (row.interval_s, row.timeout_s, row.settings_version) == (60, 900, 3)


def test_the_first_run_is_due_at_the_start_or_at_once_where_that_has_passed(backend: Backend) -> None:
    now = int(backend.clock())
    assert due_at(MIRROR, a_mirror(backend, "admin/later", start_at=now + 5000).id) == now + 5000
    assert now <= due_at(MIRROR, a_mirror(backend, "admin/at-once").id) <= now + 5
    assert due_at(MIRROR, a_mirror(backend, "admin/off", is_enabled=False).id) is None


def test_a_changed_schedule_moves_the_next_run_and_any_other_change_leaves_it(backend: Backend) -> None:
    now = int(backend.clock())
    repository = a_mirror(backend, start_at=now + 5000)

    def due(**settings: Any) -> int | None:
        alter(backend, **settings)
        assert mirror_row(repository).next_at == due_at(MIRROR, repository.id)
        return due_at(MIRROR, repository.id)

    assert due(timeout_s=900) == now + 5000
    assert due(start_at=now + 6000) == now + 6000
    assert due(is_enabled=False) is None
    assert due(is_enabled=True) == now + 6000
    change(mirror_row(repository), status=SyncStatus.SUCCESS, run=ulid(now))
    assert due(start_at=now - 100, interval_s=60) == now + 20
    assert due(interval_s=0) is None


def test_the_timer_of_an_open_run_stays_whatever_changes(backend: Backend) -> None:
    repository = a_mirror(backend)
    change(mirror_row(repository), status=SyncStatus.SYNCING)
    before = due_at(MIRROR, repository.id)

    alter(backend, is_enabled=False, start_at=5, interval_s=7)

    assert due_at(MIRROR, repository.id) == before
    assert mirror_row(repository).view is None


@pytest.mark.parametrize("mode", [Mode.NORMAL, Mode.READ_ONLY])
def test_runs_begin_only_in_the_state_mirror(backend: Backend, mode: Mode) -> None:
    repository, admin = a_mirror(backend), backend.signed_in("admin")
    repositories = backend.services.registry.repositories

    repositories.change_mode(admin, NAME, mode)
    assert (due_at(MIRROR, repository.id), mirror_row(repository).view) == (None, None)
    alter(backend, start_at=7)
    assert due_at(MIRROR, repository.id) is None

    repositories.change_mode(admin, NAME, Mode.MIRROR)
    assert due_at(MIRROR, repository.id) is not None
    assert mirror_row(repository).view == keys.view_mirrors(repository.id)[0]


def test_a_removed_mirror_leaves_a_repository_that_takes_pushes(backend: Backend) -> None:
    repository, robot = a_mirror(backend), backend.account("admin+mirror").id

    service(backend).delete(backend.signed_in("admin"), NAME)

    assert modes(backend, repository.id) == [Mode.NORMAL, Mode.NORMAL]
    assert due_at(MIRROR, repository.id) is None
    assert rows_like(backend, f"A#{robot}", "MIRROR#") == rows_like(backend, f"R#{repository.id}", "MIRROR") == []
    assert recorded(backend, "repo_mirror_disabled")[0]["state"] == "NORMAL"
    a_mirror(backend)


def test_a_read_only_repository_stays_so_without_its_mirror(backend: Backend) -> None:
    repository, admin = a_mirror(backend), backend.signed_in("admin")
    backend.services.registry.repositories.change_mode(admin, NAME, Mode.READ_ONLY)

    service(backend).delete(admin, NAME)

    assert modes(backend, repository.id) == [Mode.READ_ONLY, Mode.READ_ONLY]

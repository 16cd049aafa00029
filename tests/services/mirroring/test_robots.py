"""Mirrors push as their robots, with the rights that these have now."""

import pytest

from chalicelib.domain.errors import MirrorInvalid
from chalicelib.domain.permissions import Role
from chalicelib.services.mirroring.robots import MirrorRobots
from chalicelib.storage import keys
from chalicelib.storage.registry.repositories import PermissionRow
from chalicelib.storage.table import get
from tests.support.backends import Backend
from tests.support.mirror_builders import a_mirror, mirror_row
from tests.support.rows import change


def robots(backend: Backend) -> MirrorRobots:
    return MirrorRobots(backend.services.security.access, backend.services.stores)


def test_the_robot_of_a_mirror_may_push_and_is_remembered_for_a_minute(backend: Backend) -> None:
    repository, service = a_mirror(backend), robots(backend)
    robot = mirror_row(repository).robot_id
    actor = service.actor(robot, repository)
    assert (actor.name, actor.kind) == ("admin+mirror", "robot")
    backend.calls.take()
    assert service.actor(robot, repository) is actor
    assert backend.calls.take() == []
    backend.clock.ahead_s += 61
    assert service.actor(robot, repository) is not actor


def test_a_robot_that_may_not_write_any_more_is_told(backend: Backend) -> None:
    repository = a_mirror(backend)
    robot = mirror_row(repository).robot_id
    change(get(PermissionRow, keys.permission(repository.id, robot)), role=Role.READ)
    with pytest.raises(MirrorInvalid, match="give it the role write"):
        robots(backend).actor(robot, repository)


def test_a_robot_that_does_not_exist_is_told(backend: Backend) -> None:
    repository = a_mirror(backend)
    with pytest.raises(MirrorInvalid, match="name another one"):
        robots(backend).actor("01J00000000000000000000000", repository)


def test_the_rights_on_a_deleted_repository_are_none_on_the_next_of_its_name(backend: Backend) -> None:
    before, service = a_mirror(backend), robots(backend)
    robot = mirror_row(before).robot_id
    service.actor(robot, before)
    backend.services.registry.repositories.delete(backend.signed_in("admin"), before.name)
    after = a_mirror(backend)
    assert service.actor(robot, after).grants["admin/app"].repository_id == after.id

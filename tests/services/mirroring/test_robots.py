"""Mirrors push as their robots, with the rights that these have now."""

import pytest

from chalicelib.domain.errors import MirrorInvalid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Role
from chalicelib.services.mirroring.robots import MirrorRobots
from chalicelib.storage import keys
from chalicelib.storage.registry.repositories import PermissionRow
from chalicelib.storage.table import get
from tests.support.backends import Backend
from tests.support.mirror_builders import a_mirror, mirror_row
from tests.support.rows import change

NAME = RepositoryName.parse("admin/app")


def robots(backend: Backend) -> MirrorRobots:
    return MirrorRobots(backend.services.security.access, backend.services.stores)


def test_the_robot_of_a_mirror_may_push_and_is_remembered_for_a_minute(backend: Backend) -> None:
    robot, service = mirror_row(a_mirror(backend)).robot_id, robots(backend)
    actor = service.actor(robot, NAME)
    assert (actor.name, actor.kind) == ("admin+mirror", "robot")
    backend.calls.take()
    assert service.actor(robot, NAME) is actor
    assert backend.calls.take() == []
    backend.clock.ahead_s += 61
    assert service.actor(robot, NAME) is not actor


def test_a_robot_that_may_not_write_any_more_is_told(backend: Backend) -> None:
    repository = a_mirror(backend)
    robot = mirror_row(repository).robot_id
    change(get(PermissionRow, keys.permission(repository.id, robot)), role=Role.READ)
    with pytest.raises(MirrorInvalid, match="give it the role write"):
        robots(backend).actor(robot, NAME)


def test_a_robot_that_does_not_exist_is_told(backend: Backend) -> None:
    a_mirror(backend)
    with pytest.raises(MirrorInvalid, match="name another one"):
        robots(backend).actor("01J00000000000000000000000", NAME)

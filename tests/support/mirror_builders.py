"""Builds mirrors."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from chalicelib.domain.accounts import RobotName
from chalicelib.domain.errors import RepositoryTaken, RobotTaken
from chalicelib.domain.mirror_changes import MirrorChanges
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.repositories import Repository
from chalicelib.services.registry.repositories import NewRepository
from chalicelib.storage import keys
from chalicelib.storage.mirroring.mirrors import MirrorRow
from chalicelib.storage.table import get
from tests.support.backends import Backend
from tests.support.rows import repository_of

SETTINGS: Mapping[str, Any] = {"patterns": ("latest", "v1.*"), "interval_s": 3600, "start_at": 0}
SOURCE: Mapping[str, Any] = {"reference": "registry.example.com/team/app"}


def changes(robot: str | None = None, source: Mapping[str, Any] | None = None, **settings: Any) -> MirrorChanges:
    """Returns the changes that a request gives."""
    return MirrorChanges(settings, source or {}, robot)


def a_robot(backend: Backend, robot: str = "admin+mirror", by: str = "") -> str:
    """Creates a robot if there is none of its name; returns the name."""
    name = RobotName.parse(robot)
    with suppress(RobotTaken):
        backend.services.accounts.robots.create(backend.signed_in(by or name.namespace), name)
    return robot


def a_mirror(
    backend: Backend,
    repository: str = "admin/app",
    robot: str = "admin+mirror",
    source: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Repository:
    """Creates a repository of a user, and makes it a mirror."""
    name, actor = RepositoryName.parse(repository), backend.signed_in(repository.partition("/")[0])
    with suppress(RepositoryTaken):
        backend.services.registry.repositories.create(actor, NewRepository(name))
    new = changes(a_robot(backend, robot), {**SOURCE, **(source or {})}, **{**SETTINGS, **settings})
    backend.services.mirroring.mirrors.create(actor, name, new)
    return repository_of(backend, repository)


def mirror_row(repository: Repository) -> MirrorRow:
    """Returns the row of a mirror, which must exist."""
    row = get(MirrorRow, keys.mirror(repository.id))
    assert row is not None
    return row

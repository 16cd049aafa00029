"""Repositories of proxy caches are created once, by whoever pulls first, and their keeper writes into no other."""

import pytest

from chalicelib.domain.errors import NameUnknown, Unauthenticated
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import HolderKind, Role
from tests.support.builders import token_actor
from tests.support.caches import NAME, a_proxy_cache, member
from tests.support.crashes import just_before_commit
from tests.support.mirror_runs import MirrorRunner
from tests.support.rows import repository_of, rows_like
from tests.support.upstream import Upstream


def test_two_first_pulls_create_one_repository(upstream: Upstream, runner: MirrorRunner) -> None:
    backend = runner.backend
    a_proxy_cache(upstream, backend)
    room, actor = backend.services.mirroring.cache_repositories, member(backend)
    cached = room.of_token(actor, NAME)
    assert cached.repository is None
    with just_before_commit(backend, lambda: room.existing(actor, cached)):
        created = room.existing(actor, cached)
    assert created.repository == repository_of(backend, "acme/app")
    assert room.existing(actor, created) is created


def test_the_keeper_writes_into_its_repository_alone(upstream: Upstream, runner: MirrorRunner) -> None:
    backend = runner.backend
    a_proxy_cache(upstream, backend)
    room, actor = backend.services.mirroring.cache_repositories, member(backend)
    keeper = room.existing(actor, room.of_token(actor, NAME)).keeper
    assert set(keeper.grants) == {"acme/app"}
    permission = backend.services.accounts.permissions.of_repository(backend.signed_in("admin"), NAME, HolderKind.USER)
    assert [(one.name, one.role) for one in permission] == [("acme+(proxy cache)", Role.WRITE)]
    with pytest.raises(Unauthenticated):
        backend.services.registry.tags.delete_granted(keeper, RepositoryName.parse("acme/other"), Tag("v1"))


def test_a_cache_that_is_removed_meanwhile_creates_nothing(upstream: Upstream, runner: MirrorRunner) -> None:
    backend = runner.backend
    a_proxy_cache(upstream, backend)
    room, actor = backend.services.mirroring.cache_repositories, member(backend)
    cached = room.of_token(actor, NAME)
    owner = backend.signed_in("admin")
    remove = lambda: backend.services.mirroring.proxy_caches.delete(owner, "acme")  # noqa: E731
    with just_before_commit(backend, remove), pytest.raises(NameUnknown):
        room.existing(actor, cached)
    assert rows_like(backend, "N#", "REPO#app") == []
    with pytest.raises(NameUnknown):
        room.of_token(token_actor(backend, "admin", "acme/app"), NAME)

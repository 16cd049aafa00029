"""Stars, which users give to repositories that they may read."""

from dataclasses import replace

import pytest

from chalicelib.domain.errors import Denied, NameUnknown, Unauthenticated
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, Actor, HolderKind, Role
from chalicelib.domain.repositories import Visibility
from chalicelib.domain.scopes import REPO_READ, USER_ADMIN
from chalicelib.services.catalog.repository_listing import PAGE, RepositoryQuery
from chalicelib.services.registry.repositories import NewRepository
from tests.support.backends import Backend
from tests.support.builders import a_repository, an_actor_with_role
from tests.support.rows import rows_like

APP = RepositoryName.parse("admin/app")


def starred(backend: Backend, actor: Actor) -> list[str]:
    return [str(one.repository.name) for one in backend.services.catalog.stars.page(actor, None).repositories]


@pytest.fixture
def bob(backend: Backend) -> Actor:
    """A user who may read the admin's repository."""
    a_repository(backend)
    backend.user("bob")
    an_actor_with_role(backend, "bob", Role.READ)
    return backend.signed_in("bob")


def test_a_star_is_added_once_shown_in_lists_and_removed(backend: Backend, bob: Actor) -> None:
    for _ in range(2):
        backend.services.catalog.stars.add(bob, APP)

    assert starred(backend, bob) == ["admin/app"]
    assert starred(backend, backend.signed_in("admin")) == []
    assert backend.services.catalog.repository_details.get(bob, APP).is_starred
    assert not backend.services.catalog.repository_details.get(backend.signed_in("admin"), APP).is_starred
    (listed,) = backend.services.catalog.repository_listing.page(bob, RepositoryQuery("admin")).repositories
    assert listed.is_starred
    for _ in range(2):
        backend.services.catalog.stars.remove(bob, APP)
        assert starred(backend, bob) == []


def test_an_unreadable_repository_is_neither_starred_nor_listed(backend: Backend, bob: Actor) -> None:
    backend.services.catalog.stars.add(bob, APP)
    a_repository(backend, "admin/secret")
    with pytest.raises(Denied):
        backend.services.catalog.stars.add(bob, RepositoryName.parse("admin/secret"))
    with pytest.raises(NameUnknown):
        backend.services.catalog.stars.add(backend.signed_in("admin"), RepositoryName.parse("admin/none"))

    backend.services.accounts.permissions.remove(backend.signed_in("admin"), APP, HolderKind.USER, "bob")

    assert starred(backend, bob) == []
    backend.services.catalog.stars.remove(bob, APP)
    assert rows_like(backend, "A#", "STAR#") == []


def test_a_star_is_not_inherited_by_a_repository_of_the_same_name(backend: Backend, bob: Actor) -> None:
    backend.services.catalog.stars.add(bob, APP)
    backend.services.registry.repositories.delete(backend.signed_in("admin"), APP)
    backend.services.registry.repositories.create(backend.signed_in("admin"), NewRepository(APP, Visibility.PUBLIC))

    assert starred(backend, bob) == []
    assert not backend.services.catalog.repository_details.get(bob, APP).is_starred


def test_only_users_with_the_scope_have_stars(backend: Backend, bob: Actor) -> None:
    for actor, refused in ((ANONYMOUS, Unauthenticated), (replace(bob, scopes=frozenset({REPO_READ})), Denied)):
        for attempt in (
            lambda who: backend.services.catalog.stars.add(who, APP),
            lambda who: backend.services.catalog.stars.remove(who, APP),
            lambda who: backend.services.catalog.stars.page(who, None),
        ):
            with pytest.raises(refused):
                attempt(actor)
    backend.services.catalog.stars.add(replace(bob, scopes=frozenset({REPO_READ, USER_ADMIN})), APP)


def test_more_than_a_hundred_stars_are_listed_in_pages(backend: Backend) -> None:
    admin = backend.signed_in("admin")
    for number in range(PAGE + 1):
        a_repository(backend, f"admin/r{number:03d}")
        backend.services.catalog.stars.add(admin, RepositoryName("admin", f"r{number:03d}"))
    backend.calls.take()

    first = backend.services.catalog.stars.page(admin, None)
    assert backend.calls.take() == ["Query", "BatchGetItem", "BatchGetItem"]
    second = backend.services.catalog.stars.page(admin, first.following)

    assert (len(first.repositories), len(second.repositories), second.following) == (PAGE, 1, None)

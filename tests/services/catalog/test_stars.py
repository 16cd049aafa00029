"""Stars: one's own, of what one may read, and gone from the list when one may no longer."""

from dataclasses import replace

import pytest

from chalicelib.domain.errors import Denied, NameUnknown, Unauthenticated
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, Actor, Role
from chalicelib.domain.repositories import Visibility
from chalicelib.domain.scopes import REPO_READ, USER_ADMIN
from chalicelib.services.catalog.repository_listing import PAGE, RepositoryQuery
from chalicelib.services.registry.repositories import NewRepository
from tests.support.backends import House
from tests.support.builders import a_granted, a_repository
from tests.support.rows import rows_like

APP = RepositoryName.parse("admin/app")


def starred(house: House, actor: Actor) -> list[str]:
    return [str(one.repository.name) for one in house.services.stars.page(actor, None).repositories]


@pytest.fixture
def bob(house: House) -> Actor:
    """Somebody who may read what is admin's."""
    a_repository(house)
    house.user("bob")
    a_granted(house, "bob", Role.READ)
    return house.signed_in("bob")


def test_a_star_is_given_once_seen_in_lists_and_taken_away(house: House, bob: Actor) -> None:
    for _ in range(2):
        house.services.stars.add(bob, APP)

    assert starred(house, bob) == ["admin/app"]
    assert starred(house, house.signed_in("admin")) == []
    assert house.services.overviews.get(bob, APP).is_starred
    assert not house.services.overviews.get(house.signed_in("admin"), APP).is_starred
    (listed,) = house.services.listings.page(bob, RepositoryQuery("admin")).repositories
    assert listed.is_starred
    for _ in range(2):
        house.services.stars.remove(bob, APP)
        assert starred(house, bob) == []


def test_what_one_may_not_read_is_neither_starred_nor_listed(house: House, bob: Actor) -> None:
    house.services.stars.add(bob, APP)
    a_repository(house, "admin/secret")
    with pytest.raises(Denied):
        house.services.stars.add(bob, RepositoryName.parse("admin/secret"))
    with pytest.raises(NameUnknown):
        house.services.stars.add(house.signed_in("admin"), RepositoryName.parse("admin/none"))

    house.services.permissions.remove(house.signed_in("admin"), APP, "user", "bob")

    assert starred(house, bob) == []
    house.services.stars.remove(bob, APP)
    assert rows_like(house, "A#", "STAR#") == []


def test_a_star_is_not_inherited_by_a_repository_of_the_same_name(house: House, bob: Actor) -> None:
    house.services.stars.add(bob, APP)
    house.services.repositories.delete(house.signed_in("admin"), APP)
    house.services.repositories.create(house.signed_in("admin"), NewRepository(APP, Visibility.PUBLIC))

    assert starred(house, bob) == []
    assert not house.services.overviews.get(bob, APP).is_starred


def test_only_users_with_the_scope_have_stars(house: House, bob: Actor) -> None:
    for actor, refused in ((ANONYMOUS, Unauthenticated), (replace(bob, scopes=frozenset({REPO_READ})), Denied)):
        for attempt in (
            lambda who: house.services.stars.add(who, APP),
            lambda who: house.services.stars.remove(who, APP),
            lambda who: house.services.stars.page(who, None),
        ):
            with pytest.raises(refused):
                attempt(actor)
    house.services.stars.add(replace(bob, scopes=frozenset({REPO_READ, USER_ADMIN})), APP)


def test_more_than_a_hundred_come_page_by_page(house: House) -> None:
    admin = house.signed_in("admin")
    for number in range(PAGE + 1):
        a_repository(house, f"admin/r{number:03d}")
        house.services.stars.add(admin, RepositoryName("admin", f"r{number:03d}"))
    house.calls.take()

    first = house.services.stars.page(admin, None)
    assert house.calls.take() == ["Query", "BatchGetItem", "BatchGetItem"]
    second = house.services.stars.page(admin, first.following)

    assert (len(first.repositories), len(second.repositories), second.following) == (PAGE, 1, None)

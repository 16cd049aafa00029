"""What an actor may see: by themselves, by their teams, and no more than their token lets through."""

from dataclasses import replace

import pytest

from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, Role
from chalicelib.domain.repositories import Repository
from chalicelib.domain.scopes import ORG_ADMIN, REPO_READ
from chalicelib.domain.teams import TeamRole
from chalicelib.services.catalog.visibility import NOTHING, VisibleRepositories
from chalicelib.services.registry.repositories import NewRepository
from tests.support.backends import House
from tests.support.builders import an_organization

ONE = RepositoryName("acme", "one")


@pytest.fixture
def one(house: House) -> Repository:
    """A repository of an organization of admin's, with bob in two of its teams and carol in none."""
    an_organization(house)
    owner = house.signed_in("admin")
    made = house.services.repositories.create(owner, NewRepository(ONE))
    for name in ("bob", "carol"):
        house.user(name)
    for team in ("devs", "ops"):
        house.services.teams.put(owner, "acme", team, TeamRole.MEMBER, None)
        house.services.teams.add_member(owner, "acme", team, "bob")
    return made


def role(house: House, who: str, repository: Repository) -> Role | None:
    sight = house.services.sights.of(house.signed_in(who))
    return sight.role(repository.namespace_id, repository.id)


def test_the_highest_of_one_s_own_and_one_s_teams_roles_counts(house: House, one: Repository) -> None:
    owner, permissions = house.signed_in("admin"), house.services.permissions
    for kind, holder, given, expected in (
        ("team", "devs", Role.READ, Role.READ),
        ("team", "ops", Role.WRITE, Role.WRITE),
        ("user", "bob", Role.READ, Role.WRITE),
        ("user", "bob", Role.ADMIN, Role.ADMIN),
    ):
        permissions.put(owner, ONE, kind, holder, given)
        assert role(house, "bob", one) is expected
    assert role(house, "carol", one) is None


def test_a_team_that_administers_sees_everything_of_its_organization(house: House, one: Repository) -> None:
    house.services.teams.put(house.signed_in("admin"), "acme", "ops", TeamRole.ADMIN, None)

    assert role(house, "bob", one) is Role.ADMIN
    house.services.teams.remove(house.signed_in("admin"), "acme", "ops")
    assert role(house, "bob", one) is None


def test_teams_of_other_namespaces_are_not_asked(house: House, one: Repository) -> None:
    actor = house.signed_in("bob")
    house.calls.take()

    for namespace_id, queries in ((actor.account_id, 1), (one.namespace_id, 3), (None, 3)):
        house.services.sights.of(actor, namespace_id)
        assert house.calls.take() == ["Query"] * queries


def test_the_anonymous_see_what_is_public_for_nothing(house: House, one: Repository) -> None:
    house.calls.take()
    sight = house.services.sights.of(ANONYMOUS)

    assert sight is NOTHING
    assert house.calls.take() == []
    assert sight.sees(one, is_public=True)
    assert not sight.sees(one, is_public=False)


def test_scopes_narrow_what_was_given_and_not_what_is_public(house: House, one: Repository) -> None:
    owner = house.signed_in("admin")
    for scopes, sees in ((frozenset({REPO_READ}), True), (frozenset({ORG_ADMIN}), False)):
        sight = house.services.sights.of(replace(owner, scopes=scopes))

        assert sight.sees(one, is_public=False) is sees
        assert sight.sees(one, is_public=True)


def test_who_has_all_sees_all(one: Repository) -> None:
    assert VisibleRepositories({}, frozenset(), {}, sees_all=True).role("n", one.id) is Role.ADMIN

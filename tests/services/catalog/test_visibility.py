"""Visibility of repositories by roles, teams and scopes."""

from dataclasses import replace

import pytest

from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, HolderKind, Role
from chalicelib.domain.repositories import Repository
from chalicelib.domain.scopes import ORG_ADMIN, REPO_READ
from chalicelib.domain.teams import TeamRole
from chalicelib.services.catalog.visibility import NOTHING, VisibleRepositories
from chalicelib.services.registry.repositories import NewRepository
from tests.support.backends import Backend
from tests.support.builders import an_organization

ONE = RepositoryName("acme", "one")


@pytest.fixture
def one(backend: Backend) -> Repository:
    """A repository of an organization of admin's; bob is in two of its teams, carol in none."""
    an_organization(backend)
    owner = backend.signed_in("admin")
    repository = backend.services.registry.repositories.create(owner, NewRepository(ONE))
    for name in ("bob", "carol"):
        backend.user(name)
    for team in ("devs", "ops"):
        backend.services.accounts.teams.put(owner, "acme", team, TeamRole.MEMBER, None)
        backend.services.accounts.teams.add_member(owner, "acme", team, "bob")
    return repository


def role(backend: Backend, who: str, repository: Repository) -> Role | None:
    visible = backend.services.catalog.visibility.of(backend.signed_in(who))
    return visible.role(repository.namespace_id, repository.id)


def test_the_highest_of_the_roles_of_a_user_and_their_teams_counts(backend: Backend, one: Repository) -> None:
    owner, permissions = backend.signed_in("admin"), backend.services.accounts.permissions
    for kind, holder, given, expected in (
        ("team", "devs", Role.READ, Role.READ),
        ("team", "ops", Role.WRITE, Role.WRITE),
        ("user", "bob", Role.READ, Role.WRITE),
        ("user", "bob", Role.ADMIN, Role.ADMIN),
    ):
        permissions.put(owner, ONE, HolderKind(kind), holder, given)
        assert role(backend, "bob", one) is expected
    assert role(backend, "carol", one) is None


def test_members_of_an_admin_team_see_everything_of_the_organization(backend: Backend, one: Repository) -> None:
    backend.services.accounts.teams.put(backend.signed_in("admin"), "acme", "ops", TeamRole.ADMIN, None)

    assert role(backend, "bob", one) is Role.ADMIN
    backend.services.accounts.teams.remove(backend.signed_in("admin"), "acme", "ops")
    assert role(backend, "bob", one) is None


def test_teams_of_other_namespaces_are_not_read(backend: Backend, one: Repository) -> None:
    actor = backend.signed_in("bob")
    backend.calls.take()

    for namespace_id, queries in ((actor.account_id, 1), (one.namespace_id, 3), (None, 3)):
        backend.services.catalog.visibility.of(actor, namespace_id)
        assert backend.calls.take() == ["Query"] * queries


def test_the_visibility_of_anonymous_actors_costs_no_call(backend: Backend, one: Repository) -> None:
    backend.calls.take()
    visible = backend.services.catalog.visibility.of(ANONYMOUS)

    assert visible is NOTHING
    assert backend.calls.take() == []
    assert visible.sees(one, is_public=True)
    assert not visible.sees(one, is_public=False)


def test_scopes_limit_roles_and_not_public_repositories(backend: Backend, one: Repository) -> None:
    owner = backend.signed_in("admin")
    for scopes, sees in ((frozenset({REPO_READ}), True), (frozenset({ORG_ADMIN}), False)):
        visible = backend.services.catalog.visibility.of(replace(owner, scopes=scopes))

        assert visible.sees(one, is_public=False) is sees
        assert visible.sees(one, is_public=True)


def test_a_superuser_with_full_access_sees_everything(one: Repository) -> None:
    assert VisibleRepositories({}, frozenset(), {}, sees_all=True).role("n", one.id) is Role.ADMIN

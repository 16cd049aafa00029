"""Tests every source of a right, and refusals."""

from dataclasses import replace

import pytest

from chalicelib.domain.errors import Denied, NameUnknown, RegistryError, Unauthenticated
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, ANY, DELETE, PULL, PUSH, Actor, Need, Role
from chalicelib.domain.repositories import Visibility
from tests.support.backends import Backend
from tests.support.builders import a_repository, an_actor_with_role, token_actor

APP = RepositoryName.parse("admin/app")
# A token that does not permit an action may raise Unauthenticated or Denied.
REFUSED = (Denied, Unauthenticated)


def make_public(backend: Backend, repository: str = "admin/app") -> None:
    owner = token_actor(backend, "admin", repository)
    backend.services.registry.repositories.change_visibility(owner, RepositoryName.parse(repository), Visibility.PUBLIC)


def allowed(backend: Backend, actor: Actor, name: RepositoryName = APP) -> set[str]:
    """Returns the actions that raise no error."""
    found = set()
    for action in (PULL, PUSH, DELETE, ANY):
        try:
            backend.services.security.access.repository(actor, name, Need(action, ()))
        except REFUSED:
            continue
        found.add(action)
    return found


def test_an_owner_may_do_everything_with_their_repository(backend: Backend) -> None:
    a_repository(backend)

    assert allowed(backend, backend.actor("admin", "admin/app", actions="*")) == {PULL, PUSH, DELETE, ANY}


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (Role.READ, {PULL}),
        (Role.WRITE, {PULL, PUSH, DELETE}),
        (Role.ADMIN, {PULL, PUSH, DELETE, ANY}),
    ],
)
def test_a_granted_role_permits_its_actions_and_no_more(backend: Backend, role: Role, expected: set[str]) -> None:
    a_repository(backend)
    backend.user("bob")
    an_actor_with_role(backend, "bob", role)

    assert allowed(backend, backend.actor("bob", "admin/app", actions="*")) == expected


def test_a_token_asked_for_less_than_the_role_permits_less(backend: Backend) -> None:
    a_repository(backend)

    assert allowed(backend, backend.actor("admin", "admin/app", actions="pull")) == {PULL}


def test_everybody_may_pull_what_is_public_and_do_nothing_else(backend: Backend) -> None:
    a_repository(backend)
    backend.user("bob")
    make_public(backend)

    assert allowed(backend, backend.actor("bob", "admin/app", actions="*")) == {PULL}
    assert allowed(backend, backend.actor("", "admin/app", actions="*")) == {PULL}
    assert allowed(backend, ANONYMOUS) == {PULL}


def test_a_role_on_a_public_repository_counts_beside_its_being_public(backend: Backend) -> None:
    a_repository(backend)
    backend.user("bob")
    make_public(backend)
    an_actor_with_role(backend, "bob", Role.WRITE)

    assert allowed(backend, backend.actor("bob", "admin/app", actions="*")) == {PULL, PUSH, DELETE}


def test_a_private_repository_is_closed_to_anonymous_callers_and_to_users_without_a_right(backend: Backend) -> None:
    a_repository(backend)
    backend.user("bob")

    assert allowed(backend, ANONYMOUS) == set()
    assert allowed(backend, backend.actor("", "admin/app")) == set()
    assert allowed(backend, backend.actor("bob", "admin/app")) == set()


def test_a_repository_made_private_again_is_closed_to_anonymous_callers_at_once(backend: Backend) -> None:
    a_repository(backend)
    make_public(backend)
    backend.services.registry.repositories.change_visibility(
        token_actor(backend, "admin", "admin/app"), APP, Visibility.PRIVATE
    )

    assert allowed(backend, ANONYMOUS) == set()
    assert allowed(backend, backend.actor("", "admin/app")) == set()


def test_a_robot_with_its_token_as_password_may_do_what_its_role_permits(backend: Backend) -> None:
    a_repository(backend)
    _, secret = backend.robot("admin+builder")
    scope = ["repository:admin/app:pull,push"]
    assert (
        not backend.services.identity.tokens.believe(
            backend.services.identity.tokens.issue(("admin+builder", secret), None, scope).token
        )
        .grants["admin/app"]
        .actions
    )

    an_actor_with_role(backend, "admin+builder", Role.WRITE)
    robot = backend.services.identity.tokens.believe(
        backend.services.identity.tokens.issue(("admin+builder", secret), None, scope).token
    )

    assert (robot.name, robot.kind) == ("admin+builder", "robot")
    assert allowed(backend, robot) == {PULL, PUSH, DELETE}


def test_a_robot_is_not_the_owner_of_its_namespace(backend: Backend) -> None:
    a_repository(backend)
    backend.robot("admin+builder")

    robot = token_actor(backend, "admin+builder", "admin/app", "admin/new")

    assert {grant.actions for grant in robot.grants.values()} == {frozenset()}


def test_only_the_owner_of_a_namespace_may_create_in_it(backend: Backend) -> None:
    backend.user("bob")

    with pytest.raises(REFUSED):
        backend.services.registry.repositories.for_push(
            backend.actor("bob", "admin/new"), RepositoryName.parse("admin/new")
        )

    assert backend.services.registry.repositories.for_push(
        backend.actor("bob", "bob/new"), RepositoryName.parse("bob/new")
    )


def refusal(backend: Backend, actor: Actor, name: str, action: str) -> tuple[type[RegistryError], str, list[str]]:
    """Returns class, message without the name, and fields of a refusal."""
    with pytest.raises(RegistryError) as raised:
        backend.services.security.access.repository(actor, RepositoryName.parse(name), Need(action, ()))
    return type(raised.value), str(raised.value).replace(name, "NAME"), sorted(raised.value.detail)


@pytest.mark.parametrize("action", [PULL, PUSH, DELETE])
@pytest.mark.parametrize("who", ["bob", ""])
@pytest.mark.parametrize("missing", ["admin/missing", "nobody/missing", "admin/private/deeper"])
def test_a_user_without_a_right_cannot_tell_a_private_repository_from_a_missing_one(
    backend: Backend, action: str, who: str, missing: str
) -> None:
    a_repository(backend, "admin/private")
    backend.user("bob")

    for scopes in ((), ("admin/private", missing)):
        actor = backend.actor(who, *scopes)
        assert refusal(backend, actor, "admin/private", action) == refusal(backend, actor, missing, action)


def test_the_token_of_a_user_without_a_right_is_the_same_for_a_private_and_a_missing_repository(
    backend: Backend,
) -> None:
    a_repository(backend, "admin/private")
    backend.user("bob")

    grants = backend.actor("bob", "admin/private", "admin/missing").grants

    assert replace(grants["admin/private"], name="") == replace(grants["admin/missing"], name="")


def test_a_token_for_another_repository_does_not_open_this_one(backend: Backend) -> None:
    a_repository(backend)
    a_repository(backend, "admin/other")

    with pytest.raises(Unauthenticated) as refused:
        backend.services.security.access.repository(backend.actor("admin", "admin/other"), APP)

    assert refused.value.why == "insufficient_scope"


def test_an_owner_is_told_that_their_repository_does_not_exist(backend: Backend) -> None:
    with pytest.raises(NameUnknown):
        backend.services.security.access.repository(
            backend.actor("admin", "admin/missing"), RepositoryName.parse("admin/missing")
        )


def test_a_token_from_before_the_first_push_finds_the_repository_created_since(backend: Backend) -> None:
    early = backend.actor("admin", "admin/app")
    made = a_repository(backend)

    assert backend.services.security.access.repository(early, APP) == made

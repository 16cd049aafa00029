"""Tests that admins of a repository set and remove roles of users, robots and teams."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from chalicelib.domain.accounts import RobotName
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import Denied, FieldInvalid, NameUnknown, NotGiven, ResourceUnknown, Unauthenticated
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, Actor, HolderKind, Role
from chalicelib.domain.teams import TeamRole
from chalicelib.services.accounts.permissions import Permission
from tests.support.backends import Backend
from tests.support.builders import a_repository, a_team, an_organization, an_organization_repository
from tests.support.crashes import Crash, crash_before, meanwhile
from tests.support.rows import events, rows_like

APP, OWN = RepositoryName.parse("acme/app"), RepositoryName.parse("admin/app")
USER, TEAM = "user", "team"


@pytest.fixture
def acme(backend: Backend) -> Backend:
    an_organization(backend)
    an_organization_repository(backend)
    for name in ("bob", "carol"):
        backend.user(name)
    return backend


def give(backend: Backend, holder: str, role: Role, kind: str = USER, name: RepositoryName = APP) -> Permission:
    return backend.services.accounts.permissions.put(backend.signed_in("admin"), name, HolderKind(kind), holder, role)


def actions(backend: Backend, who: str) -> frozenset[str]:
    return backend.actor(who, "acme/app", actions="*").grants["acme/app"].actions


def test_a_role_is_given_changed_and_taken_back(acme: Backend) -> None:
    service, admin = acme.services.accounts.permissions, acme.signed_in("admin")

    assert give(acme, "bob", Role.READ) == Permission("bob", HolderKind.USER, Role.READ, is_member=False)
    assert actions(acme, "bob") == Role.READ.actions
    assert give(acme, "bob", Role.WRITE) == service.get(admin, APP, HolderKind(USER), "bob")
    assert actions(acme, "bob") == Role.WRITE.actions
    service.remove(admin, APP, HolderKind(USER), "bob")
    assert actions(acme, "bob") == frozenset()
    kinds = [event["kind"] for event in events(acme) if event["kind"].endswith("repo_permission")]
    assert kinds == ["add_repo_permission", "change_repo_permission", "delete_repo_permission"]
    assert '"username":"bob","namespace":"acme","repo":"app","role":"write"' in events(acme, "change")[0]["metadata"]


def test_a_push_in_progress_fails_when_the_role_is_removed(acme: Backend) -> None:
    give(acme, "bob", Role.WRITE)
    early = acme.actor("bob", "acme/app")

    acme.services.accounts.permissions.remove(acme.signed_in("admin"), APP, HolderKind(USER), "bob")

    with pytest.raises((Denied, NameUnknown)):
        acme.services.registry.uploads.push(early, APP, Digest.of(b"1"), b"1")


def test_roles_are_listed_by_name_with_users_and_robots_separate_from_teams(acme: Backend) -> None:
    admin, service = acme.signed_in("admin"), acme.services.accounts.permissions
    acme.services.accounts.robots.create(admin, RobotName.parse("acme+ci"))
    a_team(acme, "devs", TeamRole.MEMBER, "bob")
    for holder, role in (("carol", Role.ADMIN), ("acme+ci", Role.WRITE), ("bob", Role.READ)):
        give(acme, holder, role)
    give(acme, "devs", Role.WRITE, TEAM)

    assert service.of_repository(admin, APP, HolderKind(USER)) == [
        Permission("acme+ci", HolderKind.ROBOT, Role.WRITE, is_member=True),
        Permission("bob", HolderKind.USER, Role.READ, is_member=True),
        Permission("carol", HolderKind.USER, Role.ADMIN, is_member=False),
    ]
    assert service.of_repository(admin, APP, HolderKind(TEAM)) == [Permission("devs", HolderKind.TEAM, Role.WRITE)]
    assert service.get(admin, APP, HolderKind(USER), "acme+ci").is_robot
    assert service.get(admin, APP, HolderKind(TEAM), "devs") == Permission("devs", HolderKind.TEAM, Role.WRITE)


def test_roles_on_a_user_s_repository_have_no_membership(acme: Backend) -> None:
    a_repository(acme)

    assert give(acme, "bob", Role.READ, name=OWN).is_member is None
    (listed,) = acme.services.accounts.permissions.of_repository(acme.signed_in("admin"), OWN, HolderKind(USER))
    assert listed.is_member is None


def test_a_missing_role_is_reported_in_quay_s_words(acme: Backend) -> None:
    service, admin = acme.services.accounts.permissions, acme.signed_in("admin")
    a_team(acme, "devs", TeamRole.MEMBER)

    for step in (service.get, service.remove):
        for holder in ("bob", "nobody", "acme", ""):
            with pytest.raises(NotGiven, match=r"^User does not have permission for repo\.$"):
                step(admin, APP, HolderKind(USER), holder)
        for holder in ("devs", "none"):
            with pytest.raises(NotGiven, match=r"^Team does not have permission for repo\.$"):
                step(admin, APP, HolderKind(TEAM), holder)


@pytest.mark.parametrize(
    ("kind", "holder", "why"),
    [
        (USER, "nobody", "Invalid username: nobody"),
        (USER, "acme", "Invalid username: acme"),
        (USER, "bob+ci", "Cannot add robot bob+ci under namespace acme"),
        (TEAM, "none", "No team none in organization acme"),
        (TEAM, "bob", "No team bob in organization acme"),
    ],
)
def test_a_holder_who_can_have_no_role_is_refused_with_the_reason(
    acme: Backend, kind: str, holder: str, why: str
) -> None:
    acme.robot("bob+ci")

    with pytest.raises(FieldInvalid) as refused:
        give(acme, holder, Role.READ, kind)
    assert str(refused.value) == why


def test_the_owner_of_a_namespace_cannot_get_a_role_in_it(acme: Backend) -> None:
    a_repository(acme)

    with pytest.raises(FieldInvalid, match="owner must always be admin"):
        give(acme, "admin", Role.READ, name=OWN)


def test_own_roles_and_roles_by_teams_are_listed_together(acme: Backend) -> None:
    service, admin = acme.services.accounts.permissions, acme.signed_in("admin")
    a_team(acme, "devs", TeamRole.MEMBER, "bob")
    give(acme, "bob", Role.READ)
    give(acme, "devs", Role.WRITE, TEAM)

    assert service.transitive(admin, APP, "bob") == [Role.READ, Role.WRITE]
    assert service.transitive(admin, APP, "admin") == [Role.ADMIN]
    assert service.transitive(admin, APP, "carol") == []
    for name in ("nobody", "acme"):
        with pytest.raises(ResourceUnknown):
            service.transitive(admin, APP, name)


STEPS: dict[str, Callable[[Backend, Actor], object]] = {
    "list": lambda backend, actor: backend.services.accounts.permissions.of_repository(actor, APP, HolderKind(USER)),
    "get": lambda backend, actor: backend.services.accounts.permissions.get(actor, APP, HolderKind(USER), "carol"),
    "put": lambda backend, actor: backend.services.accounts.permissions.put(
        actor, APP, HolderKind(USER), "bob", Role.ADMIN
    ),
    "put a team": lambda backend, actor: backend.services.accounts.permissions.put(
        actor, APP, HolderKind(TEAM), "devs", Role.ADMIN
    ),
    "remove": lambda backend, actor: backend.services.accounts.permissions.remove(
        actor, APP, HolderKind(USER), "carol"
    ),
    "transitive": lambda backend, actor: backend.services.accounts.permissions.transitive(actor, APP, "carol"),
}


@pytest.mark.parametrize("step", STEPS)
def test_an_actor_who_is_no_admin_of_the_repository_is_refused(acme: Backend, step: str) -> None:
    a_team(acme, "devs", TeamRole.CREATOR, "bob")
    give(acme, "carol", Role.WRITE)
    before = rows_like(acme)

    for name in ("bob", "carol"):
        with pytest.raises(Denied):
            STEPS[step](acme, acme.signed_in(name))
    with pytest.raises(Denied):
        STEPS[step](acme, replace(acme.signed_in("admin"), scopes=frozenset({"repo:write", "org:admin"})))
    with pytest.raises(Unauthenticated):
        STEPS[step](acme, ANONYMOUS)
    assert rows_like(acme) == before


@pytest.mark.parametrize("step", STEPS)
def test_users_without_a_right_cannot_tell_a_missing_repository_from_a_private_one(acme: Backend, step: str) -> None:
    stranger = acme.signed_in("bob")

    with pytest.raises(Denied) as private:
        STEPS[step](acme, stranger)
    acme.services.accounts.organizations.delete(acme.signed_in("admin"), "acme")
    with pytest.raises(Denied) as gone:
        STEPS[step](acme, stranger)
    assert str(private.value) == str(gone.value)


def test_a_robot_made_again_and_a_team_made_again_inherit_nothing(acme: Backend) -> None:
    admin, robot = acme.signed_in("admin"), RobotName.parse("acme+ci")
    acme.services.accounts.robots.create(admin, robot)
    a_team(acme, "devs", TeamRole.MEMBER, "bob")
    give(acme, "acme+ci", Role.WRITE)
    give(acme, "devs", Role.WRITE, TEAM)

    acme.services.accounts.robots.delete(admin, robot)
    acme.services.accounts.teams.remove(admin, "acme", "devs")
    acme.services.accounts.robots.create(admin, robot)
    a_team(acme, "devs", TeamRole.MEMBER, "bob")

    service = acme.services.accounts.permissions
    assert (
        service.of_repository(admin, APP, HolderKind(USER)) == service.of_repository(admin, APP, HolderKind(TEAM)) == []
    )
    assert actions(acme, "bob") == frozenset()


@pytest.mark.parametrize("number", range(1, 12))
def test_a_holder_deleted_meanwhile_gets_no_role(acme: Backend, number: int) -> None:
    acme.services.accounts.robots.create(acme.signed_in("admin"), RobotName.parse("acme+ci"))

    def delete() -> None:
        acme.services.accounts.robots.delete(acme.signed_in("admin"), RobotName.parse("acme+ci"))

    with meanwhile(acme, number, delete) as done, suppress(FieldInvalid):
        give(acme, "acme+ci", Role.READ)

    rows = [row["sk"] for row in rows_like(acme) if row["sk"].startswith(("PERM#", "GIVEN#", "ROLE#"))]
    assert len(rows) == (0 if done else 3)


@pytest.mark.parametrize("number", range(1, 12))
def test_a_team_deleted_meanwhile_gets_no_role(acme: Backend, number: int) -> None:
    a_team(acme, "devs", TeamRole.MEMBER)

    with (
        meanwhile(
            acme, number, lambda: acme.services.accounts.teams.remove(acme.signed_in("admin"), "acme", "devs")
        ) as done,
        suppress(FieldInvalid),
    ):
        give(acme, "devs", Role.READ, TEAM)

    rows = [row["sk"] for row in rows_like(acme) if row["sk"].startswith(("PERM#", "ROLE#"))]
    assert len(rows) == (0 if done else 2)


@pytest.mark.parametrize(("kind", "holder"), [(USER, "bob"), (TEAM, "devs")])
def test_a_crash_leaves_both_sides_of_a_role_or_none(acme: Backend, kind: str, holder: str) -> None:
    a_team(acme, "devs", TeamRole.MEMBER)
    for number in range(1, 30):
        try:
            with crash_before(acme, number):
                give(acme, holder, Role.READ, kind)
                give(acme, holder, Role.WRITE, kind)
                acme.services.accounts.permissions.remove(acme.signed_in("admin"), APP, HolderKind(kind), holder)
            break
        except Crash:
            given = [row["role"] for row in rows_like(acme, "R#", "PERM#")]
            found = [row["role"] for row in rows_like(acme, "", "ROLE#")]
            assert given == found
            assert len(rows_like(acme, "N#", "GIVEN#")) == (len(given) if kind == USER else 0)
    assert number > 10

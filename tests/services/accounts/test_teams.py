"""Tests the rights of team members, who may change teams, and that an organization keeps an owner."""

from collections.abc import Callable

import pytest

from chalicelib.domain.accounts import RobotName
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import (
    AlreadyThere,
    Denied,
    FieldInvalid,
    LastOwner,
    NameUnknown,
    ResourceUnknown,
    TeamInvalid,
    Unauthenticated,
)
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, Actor, HolderKind, Role
from chalicelib.domain.teams import TeamRole
from chalicelib.domain.timers import PURGE
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountRow
from chalicelib.storage.table import get
from tests.support.backends import Backend
from tests.support.builders import a_team, an_organization, an_organization_repository, token_actor
from tests.support.crashes import Crash, crash_before
from tests.support.rows import change, due_at, events, rows_like

APP = RepositoryName.parse("acme/app")
OWNER, CREATOR, MEMBER = TeamRole.ADMIN, TeamRole.CREATOR, TeamRole.MEMBER


@pytest.fixture
def acme(backend: Backend) -> Backend:
    an_organization(backend)
    for name in ("bob", "carol"):
        backend.user(name)
    return backend


def owners(backend: Backend) -> set[str]:
    """Returns the names of acme's owners."""
    teams = backend.services.stores.teams
    found = teams.of_organization(backend.services.stores.accounts.find("acme").id)
    return {row.name for team in found if team.role is OWNER for row in teams.members(team.id)}


def names(backend: Backend, team: str, by: str = "admin") -> list[str]:
    return [row.name for row in backend.services.accounts.teams.roster(backend.signed_in(by), "acme", team).members]


def test_a_team_is_created_and_changed(acme: Backend) -> None:
    service, admin = acme.services.accounts.teams, acme.signed_in("admin")

    (made, is_new) = service.put(admin, "acme", "devs", MEMBER, "developers")
    assert (made.team.name, made.team.role, made.team.description, is_new) == ("devs", MEMBER, "developers", True)
    (again, is_new) = service.put(admin, "acme", "devs", CREATOR, None)
    assert (again.team.id, again.team.role, again.team.description, is_new) == (
        made.team.id, CREATOR, "developers", False,
    )  # fmt: skip
    service.put(admin, "acme", "devs", CREATOR, "")
    assert service.roster(admin, "acme", "devs").team.description == ""
    kinds = [event["kind"] for event in events(acme, "org_")]
    assert kinds == ["org_create_team", "org_set_team_role", "org_set_team_description"]


@pytest.mark.parametrize("name", ["Bad-Team!", "a", "", "x" * 256])
def test_a_name_outside_the_grammar_is_refused(acme: Backend, name: str) -> None:
    with pytest.raises(TeamInvalid):
        acme.services.accounts.teams.put(acme.signed_in("admin"), "acme", name, MEMBER, None)


@pytest.mark.parametrize(
    ("role", "may_push", "may_create"), [(OWNER, True, True), (CREATOR, False, True), (MEMBER, False, False)]
)
def test_the_role_of_a_team_is_a_right_of_its_members(
    acme: Backend, role: TeamRole, may_push: bool, may_create: bool
) -> None:
    an_organization_repository(acme)
    a_team(acme, "devs", role, "bob")

    bob = token_actor(acme, "bob", "acme/app", "acme/new")

    assert ("push" in bob.grants["acme/app"].actions) is may_push
    assert ("push" in bob.grants["acme/new"].actions) is may_create


def test_members_are_added_listed_and_removed(acme: Backend) -> None:
    service, admin = acme.services.accounts.teams, acme.signed_in("admin")
    acme.services.accounts.robots.create(admin, RobotName.parse("acme+ci"))
    a_team(acme, "devs", MEMBER, "carol", "bob", "acme+ci")

    assert names(acme, "devs") == ["acme+ci", "bob", "carol"]
    with pytest.raises(AlreadyThere, match=r"^User bob is already a member of team devs$"):
        service.add_member(admin, "acme", "devs", "bob")
    service.remove_member(admin, "acme", "devs", "bob")
    with pytest.raises(FieldInvalid, match=r"^User bob does not belong to team devs$"):
        service.remove_member(admin, "acme", "devs", "bob")
    assert names(acme, "devs") == ["acme+ci", "carol"]
    (event,) = events(acme, "org_remove_team_member")
    assert '"member":"bob"' in event["metadata"]
    assert len(events(acme, "org_add_team_member")) == 3


@pytest.mark.parametrize("name", ["nobody", "acme", ""])
def test_an_unknown_account_cannot_be_a_member(acme: Backend, name: str) -> None:
    a_team(acme, "devs", MEMBER)

    with pytest.raises(FieldInvalid):
        acme.services.accounts.teams.add_member(acme.signed_in("admin"), "acme", "devs", name)
    with pytest.raises((FieldInvalid, ResourceUnknown)):
        acme.services.accounts.teams.remove_member(acme.signed_in("admin"), "acme", "devs", name)


def test_a_robot_of_another_namespace_cannot_be_a_member(acme: Backend) -> None:
    acme.robot("bob+ci")
    a_team(acme, "devs", MEMBER)

    with pytest.raises(FieldInvalid, match="not a member of the organization"):
        acme.services.accounts.teams.add_member(acme.signed_in("admin"), "acme", "devs", "bob+ci")


def test_members_see_their_team_and_no_other(acme: Backend) -> None:
    a_team(acme, "devs", MEMBER, "bob")
    a_team(acme, "ops", MEMBER, "carol")

    roster = acme.services.accounts.teams.roster(acme.signed_in("bob"), "acme", "devs")
    assert (roster.can_edit, [row.name for row in roster.members]) == (False, ["bob"])
    for name in ("ops", "none"):
        with pytest.raises(Denied):
            acme.services.accounts.teams.roster(acme.signed_in("bob"), "acme", name)
    with pytest.raises(ResourceUnknown):
        acme.services.accounts.teams.roster(acme.signed_in("admin"), "acme", "none")


STEPS: dict[str, Callable[[Backend, Actor], object]] = {
    "put": lambda backend, actor: backend.services.accounts.teams.put(actor, "acme", "devs", OWNER, None),
    "remove": lambda backend, actor: backend.services.accounts.teams.remove(actor, "acme", "devs"),
    "roster": lambda backend, actor: backend.services.accounts.teams.roster(actor, "acme", "owners"),
    "add": lambda backend, actor: backend.services.accounts.teams.add_member(actor, "acme", "devs", "bob"),
    "take out": lambda backend, actor: backend.services.accounts.teams.remove_member(actor, "acme", "owners", "admin"),
    "leave all": lambda backend, actor: backend.services.accounts.teams.leave_all(actor, "acme", "admin"),
    "permissions": lambda backend, actor: backend.services.accounts.teams.permissions(actor, "acme", "devs"),
}


@pytest.mark.parametrize("step", STEPS)
def test_an_actor_who_is_no_admin_of_the_organization_changes_nothing(acme: Backend, step: str) -> None:
    a_team(acme, "devs", CREATOR, "carol")
    before = rows_like(acme)

    for name in ("bob", "carol"):
        with pytest.raises(Denied):
            STEPS[step](acme, acme.signed_in(name))
    with pytest.raises(Unauthenticated):
        STEPS[step](acme, ANONYMOUS)
    assert rows_like(acme) == before


def test_an_organization_is_never_without_an_owner(acme: Backend) -> None:
    service, admin = acme.services.accounts.teams, acme.signed_in("admin")

    with pytest.raises(LastOwner, match=r"^User cannot remove themselves from their only admin team\.$"):
        service.remove_member(admin, "acme", "owners", "admin")
    with pytest.raises(LastOwner, match=r"^Deleting team 'owners' would remove admin ability for user 'admin'"):
        service.remove(admin, "acme", "owners")
    with pytest.raises(LastOwner):
        service.put(admin, "acme", "owners", MEMBER, None)
    with pytest.raises(LastOwner):
        service.leave_all(admin, "acme", "admin")
    assert owners(acme) == {"admin"}


def test_a_disabled_owner_cannot_be_the_only_one(acme: Backend) -> None:
    acme.services.accounts.teams.add_member(acme.signed_in("admin"), "acme", "owners", "bob")
    change(get(AccountRow, keys.account(acme.account("admin").id)), enabled=False)

    with pytest.raises(LastOwner):
        acme.services.accounts.teams.remove_member(acme.signed_in("bob"), "acme", "owners", "bob")


def test_an_owner_by_another_team_may_leave_the_first(acme: Backend) -> None:
    service, admin = acme.services.accounts.teams, acme.signed_in("admin")
    a_team(acme, "chiefs", OWNER, "admin")

    service.remove(admin, "acme", "owners")

    assert owners(acme) == {"admin"}
    with pytest.raises(LastOwner):
        service.put(admin, "acme", "chiefs", CREATOR, None)


def test_a_removed_member_loses_all_rights_at_once(acme: Backend) -> None:
    an_organization_repository(acme)
    team_id = a_team(acme, "devs", MEMBER, "bob")
    acme.services.accounts.permissions.put(acme.signed_in("admin"), APP, HolderKind.TEAM, "devs", Role.WRITE)
    early = acme.actor("bob", "acme/app")
    acme.services.registry.uploads.push(early, APP, Digest.of(b"1"), b"1")

    acme.services.accounts.teams.remove_member(acme.signed_in("admin"), "acme", "devs", "bob")

    with pytest.raises((Denied, NameUnknown)):
        acme.services.registry.uploads.push(early, APP, Digest.of(b"2"), b"2")
    assert acme.actor("bob", "acme/app").grants["acme/app"].actions == frozenset()
    assert rows_like(acme, f"T#{team_id}", "WITH#") == []


def test_a_member_removed_from_the_organization_loses_their_roles_on_repositories(acme: Backend) -> None:
    an_organization_repository(acme)
    admin = acme.signed_in("admin")
    for number in range(25):
        a_team(acme, f"team{number}", MEMBER, "bob")
    acme.services.accounts.permissions.put(admin, APP, HolderKind.USER, "bob", Role.WRITE)

    acme.services.accounts.teams.leave_all(admin, "acme", "bob")

    bob = acme.account("bob").id
    assert rows_like(acme, f"A#{bob}", "MEMBER#") == rows_like(acme, f"A#{bob}", "ROLE#") == []
    assert rows_like(acme, "N#", f"GIVEN#{bob}") == rows_like(acme, "R#", f"PERM#{bob}") == []
    assert acme.actor("bob", "acme/app").grants["acme/app"].actions == frozenset()
    assert len(events(acme, "org_remove_team_member")) == 25
    assert len(events(acme, "delete_repo_permission")) == 1
    acme.services.accounts.teams.leave_all(admin, "acme", "bob")
    with pytest.raises(ResourceUnknown):
        acme.services.accounts.teams.leave_all(admin, "acme", "nobody")


def test_a_deleted_team_gives_nothing_and_a_new_one_of_its_name_inherits_nothing(acme: Backend) -> None:
    an_organization_repository(acme)
    admin = acme.signed_in("admin")
    old = a_team(acme, "devs", MEMBER, "bob")
    acme.services.accounts.permissions.put(admin, APP, HolderKind.TEAM, "devs", Role.WRITE)

    acme.services.accounts.teams.remove(admin, "acme", "devs")

    assert acme.actor("bob", "acme/app").grants["acme/app"].actions == frozenset()
    assert due_at(PURGE, keys.team_target(acme.services.stores.accounts.find("acme").id, old)) is not None
    new = a_team(acme, "devs", MEMBER, "bob")
    assert new != old
    assert acme.services.accounts.teams.permissions(admin, "acme", "devs") == []
    assert acme.actor("bob", "acme/app").grants["acme/app"].actions == frozenset()
    acme.services.accounts.teams.remove(admin, "acme", "devs")
    with pytest.raises(FieldInvalid, match=r"^Team 'devs' is not a team in org 'acme'$"):
        acme.services.accounts.teams.remove(admin, "acme", "devs")


def test_the_roles_of_a_team_are_listed_by_repository(acme: Backend) -> None:
    admin = acme.signed_in("admin")
    a_team(acme, "devs", MEMBER)
    for name, role in (("acme/web", Role.READ), ("acme/app", Role.ADMIN)):
        an_organization_repository(acme, name)
        acme.services.accounts.permissions.put(admin, RepositoryName.parse(name), HolderKind.TEAM, "devs", role)

    found = acme.services.accounts.teams.permissions(admin, "acme", "devs")

    assert [(one.repository, one.is_public, one.role) for one in found] == [
        ("app", False, Role.ADMIN),
        ("web", False, Role.READ),
    ]


def test_a_removal_from_the_organization_that_crashes_can_be_repeated(acme: Backend) -> None:
    admin, bob = acme.signed_in("admin"), acme.account("bob").id
    for number in range(22):
        a_team(acme, f"team{number}", MEMBER, "bob")
    number = 1
    while True:
        try:
            with crash_before(acme, number):
                acme.services.accounts.teams.leave_all(admin, "acme", "bob")
            break
        except Crash:
            listed = [row["pk"] for row in rows_like(acme, "T#", f"WITH#{bob}")]
            assert len(listed) == len(rows_like(acme, f"A#{bob}", "MEMBER#"))
        number += 1
    assert rows_like(acme, "T#", f"WITH#{bob}") == rows_like(acme, f"A#{bob}", "MEMBER#") == []


def test_nobody_takes_over_an_organization_unless_superusers_have_full_access(acme: Backend) -> None:
    acme.services.accounts.organizations.create(acme.signed_in("bob"), "bobs")

    for name in ("admin", "carol"):
        for namespace in ("bobs", "bob", "none"):
            with pytest.raises(Denied):
                acme.services.accounts.teams.take(acme.signed_in(name), namespace)


def test_with_full_access_a_superuser_becomes_an_owner_and_it_is_recorded(
    new_backend: Callable[..., Backend],
) -> None:
    backend = new_backend(superusers_full_access=True)
    backend.user("bob")
    an_organization(backend, owner="bob")
    admin = backend.signed_in("admin")

    backend.services.accounts.teams.take(admin, "acme")
    backend.services.accounts.teams.take(admin, "acme")

    assert owners(backend) == {"admin", "bob"}
    assert [event["performer"] for event in events(backend, "take_ownership")] == ["admin"]
    with pytest.raises(FieldInvalid):
        backend.services.accounts.teams.take(admin, "bob")
    with pytest.raises(ResourceUnknown):
        backend.services.accounts.teams.take(admin, "none")
    with pytest.raises(Denied):
        backend.services.accounts.teams.take(backend.signed_in("bob"), "acme")

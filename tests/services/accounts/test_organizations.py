"""Tests creating, showing, changing and deleting organizations."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chalicelib.domain.accounts import RobotName
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import (
    Denied,
    FieldInvalid,
    NameInvalid,
    NameTaken,
    NameUnknown,
    ResourceUnknown,
    Unauthenticated,
)
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, Actor, HolderKind, Role
from chalicelib.domain.teams import TeamRole
from chalicelib.domain.timers import PURGE, SETTLED_S
from chalicelib.services.accounts.organizations import OrganizationChanges
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountRow
from tests.support.backends import Backend
from tests.support.builders import a_team, an_organization, an_organization_repository
from tests.support.crashes import Crash, crash_before, meanwhile
from tests.support.rows import due_at, events, remove, rows_like

APP = RepositoryName.parse("acme/app")


@pytest.fixture
def acme(backend: Backend) -> Backend:
    an_organization(backend)
    for name in ("bob", "carol"):
        backend.user(name)
    return backend


def id_of(backend: Backend, name: str = "acme") -> str:
    return backend.services.stores.accounts.find(name).id


def test_the_creator_of_an_organization_owns_it(backend: Backend) -> None:
    backend.services.accounts.organizations.create(backend.signed_in("admin"), "acme", "acme@example.com")

    shown = backend.services.accounts.organizations.overview(backend.signed_in("admin"), "acme")
    assert (shown.namespace_access.is_admin, shown.namespace.name, shown.namespace.email) == (
        True,
        "acme",
        "acme@example.com",
    )
    assert [(view.team.name, view.team.role, view.members) for view in shown.teams] == [("owners", TeamRole.ADMIN, 1)]
    (event,) = events(backend, "org_create")
    assert (event["namespace_id"], event["performer"]) == (id_of(backend), "admin")


@pytest.mark.parametrize("name", ["Bad Name!", "a", "", "x" * 256, "acme+ci", "a/b", "ä" * 3])
def test_a_name_outside_the_grammar_is_refused(backend: Backend, name: str) -> None:
    with pytest.raises(NameInvalid):
        backend.services.accounts.organizations.create(backend.signed_in("admin"), name)


@pytest.mark.parametrize("name", ["acme", "bob"])
def test_users_and_organizations_share_their_names(acme: Backend, name: str) -> None:
    with pytest.raises(NameTaken, match=r"^A user or organization with this name already exists$"):
        acme.services.accounts.organizations.create(acme.signed_in("bob"), name)


def test_an_invalid_address_is_refused(acme: Backend) -> None:
    with pytest.raises(FieldInvalid, match="email"):
        acme.services.accounts.organizations.create(acme.signed_in("bob"), "other", "nonsense")


def test_anonymous_callers_robots_and_other_tokens_create_no_organization(acme: Backend) -> None:
    service, bob = acme.services.accounts.organizations, acme.signed_in("bob")
    robot, _ = acme.robot("bob+ci")

    with pytest.raises(Unauthenticated):
        service.create(ANONYMOUS, "other")
    for actor in (Actor(robot.id, robot.name, robot.kind), replace(bob, scopes=frozenset({"org:admin"}))):
        with pytest.raises(Denied):
            service.create(actor, "other")
    service.create(replace(bob, scopes=frozenset({"user:admin"})), "other")


def test_a_user_deleted_meanwhile_creates_no_organization(acme: Backend) -> None:
    bob = acme.signed_in("bob")

    with meanwhile(acme, 1, lambda: remove(AccountRow, keys.account(bob.account_id or ""))), pytest.raises(Denied):
        acme.services.accounts.organizations.create(bob, "other")
    assert acme.services.stores.accounts.find("other") is None


def test_everybody_sees_the_name_and_members_see_the_teams(acme: Backend) -> None:
    a_team(acme, "devs", TeamRole.MEMBER, "bob")
    service = acme.services.accounts.organizations

    for actor in (ANONYMOUS, acme.signed_in("carol")):
        shown = service.overview(actor, "acme")
        assert (shown.namespace_access.role, list(shown.teams)) == (None, [])
    seen = [
        (view.team.name, view.can_view, view.members) for view in service.overview(acme.signed_in("bob"), "acme").teams
    ]
    assert seen == [("owners", False, 0), ("devs", True, 1)]
    for name in ("none", "bob", "admin+ci", ""):
        with pytest.raises(ResourceUnknown):
            service.overview(ANONYMOUS, name)


@pytest.mark.parametrize(
    ("scope", "role"),
    [("repo:admin", None), ("user:admin", None), ("repo:create", TeamRole.CREATOR), ("org:admin", TeamRole.ADMIN)],
)
def test_a_token_sees_what_its_scopes_allow(acme: Backend, scope: str, role: TeamRole | None) -> None:
    shown = acme.services.accounts.organizations.overview(
        replace(acme.signed_in("admin"), scopes=frozenset({scope})), "acme"
    )

    assert (shown.namespace_access.role, bool(shown.teams)) == (role, role is not None)


def test_the_bytes_that_its_repositories_link_are_counted(acme: Backend) -> None:
    a_team(acme, "devs", TeamRole.MEMBER)
    an_organization_repository(acme)
    acme.services.accounts.permissions.put(acme.signed_in("admin"), APP, HolderKind.TEAM, "devs", Role.READ)
    acme.services.registry.uploads.push(acme.actor("admin", "acme/app"), APP, Digest.of(b"12345"), b"12345")

    shown = acme.services.accounts.organizations.overview(acme.signed_in("admin"), "acme")

    assert (shown.bytes, [view.repositories for view in shown.teams]) == (5, [0, 1])


def test_an_organization_is_changed_by_its_owners(acme: Backend) -> None:
    service, admin = acme.services.accounts.organizations, acme.signed_in("admin")
    wishes = OrganizationChanges("new@example.com", 86400, invoice_email=True, invoice_email_address="pay@example.com")

    row = service.change(admin, "acme", wishes).namespace

    assert (row.email, row.window_s, row.invoice_email, row.invoice_email_address) == (
        "new@example.com", 86400, True, "pay@example.com",
    )  # fmt: skip
    kinds = ["org_change_email", "org_change_invoicing", "org_change_invoicing", "org_change_tag_expiration"]
    assert sorted(event["kind"] for event in events(acme, "org_change")) == kinds
    assert (
        service.change(admin, "acme", OrganizationChanges(invoice_email_address="")).namespace.invoice_email_address
        is None
    )
    before = rows_like(acme)
    service.change(admin, "acme", OrganizationChanges(email="new@example.com"))
    assert rows_like(acme) == before


@pytest.mark.parametrize(
    "wishes",
    [
        OrganizationChanges(email="nonsense"),
        OrganizationChanges(window_s=5),
        OrganizationChanges(invoice_email_address="nonsense"),
        OrganizationChanges(email=""),
    ],
    ids=["mail", "window", "invoices", "empty"],
)
def test_an_invalid_change_changes_nothing(acme: Backend, wishes: OrganizationChanges) -> None:
    before = rows_like(acme)

    with pytest.raises(FieldInvalid):
        acme.services.accounts.organizations.change(acme.signed_in("admin"), "acme", wishes)
    assert rows_like(acme) == before


STEPS: dict[str, Callable[[Backend, Actor], object]] = {
    "change": lambda backend, actor: backend.services.accounts.organizations.change(
        actor, "acme", OrganizationChanges(window_s=0)
    ),
    "delete": lambda backend, actor: backend.services.accounts.organizations.delete(actor, "acme"),
    "members": lambda backend, actor: backend.services.accounts.organizations.members(actor, "acme"),
    "member": lambda backend, actor: backend.services.accounts.organizations.member(actor, "acme", "admin"),
    "collaborators": lambda backend, actor: backend.services.accounts.organizations.collaborators(actor, "acme"),
}


@pytest.mark.parametrize("step", STEPS)
def test_an_actor_who_is_no_admin_of_the_organization_is_refused(acme: Backend, step: str) -> None:
    a_team(acme, "devs", TeamRole.CREATOR, "carol")

    for name in ("bob", "carol"):
        with pytest.raises(Denied):
            STEPS[step](acme, acme.signed_in(name))
    with pytest.raises(Denied):
        STEPS[step](acme, replace(acme.signed_in("admin"), scopes=frozenset({"repo:admin", "user:admin"})))
    with pytest.raises(Unauthenticated):
        STEPS[step](acme, ANONYMOUS)


def test_a_superuser_has_no_rights_in_organizations_of_others(acme: Backend) -> None:
    acme.services.accounts.organizations.create(acme.signed_in("bob"), "bobs")

    with pytest.raises(Denied):
        acme.services.accounts.organizations.members(acme.signed_in("admin"), "bobs")


def test_members_have_teams_and_collaborators_have_none(acme: Backend) -> None:
    admin, service = acme.signed_in("admin"), acme.services.accounts.organizations
    a_team(acme, "devs", TeamRole.MEMBER, "bob")
    a_team(acme, "ops", TeamRole.MEMBER, "bob")
    acme.services.accounts.robots.create(admin, RobotName.parse("acme+ci"))
    for name in ("acme/app", "acme/web"):
        an_organization_repository(acme, name)
        for holder in ("bob", "carol", "acme+ci"):
            acme.services.accounts.permissions.put(
                admin, RepositoryName.parse(name), HolderKind.USER, holder, Role.READ
            )

    members = [(one.name, list(one.teams), list(one.repositories)) for one in service.members(admin, "acme")]
    assert members == [("admin", ["owners"], []), ("bob", ["devs", "ops"], ["app", "web"])]
    assert service.member(admin, "acme", "bob") in service.members(admin, "acme")
    for name in ("carol", "acme+ci", "nobody"):
        with pytest.raises(ResourceUnknown):
            service.member(admin, "acme", name)
    (outside,) = service.collaborators(admin, "acme")
    assert (outside.name, list(outside.teams), list(outside.repositories)) == ("carol", [], ["app", "web"])


def test_from_its_deletion_on_nobody_reaches_anything_in_an_organization(acme: Backend) -> None:
    an_organization_repository(acme)
    early, admin = acme.actor("admin", "acme/app"), acme.signed_in("admin")
    identifier = id_of(acme)

    acme.services.accounts.organizations.delete(admin, "acme")

    with pytest.raises((Denied, NameUnknown)):
        acme.services.registry.uploads.push(early, APP, Digest.of(b"1"), b"1")
    assert acme.actor("admin", "acme/app").grants["acme/app"].actions == frozenset()
    with pytest.raises(Denied):
        acme.services.security.access.require_role(admin, APP, Role.READ)
    for step in ("delete", "members"):
        with pytest.raises(ResourceUnknown):
            STEPS[step](acme, admin)
    assert due_at(PURGE, identifier) == pytest.approx(acme.clock() + SETTLED_S, abs=5)
    assert [event["kind"] for event in events(acme, "org_delete")] == ["org_delete"]


def test_a_deleted_name_stays_taken_until_nothing_of_it_is_left(acme: Backend) -> None:
    acme.services.accounts.organizations.delete(acme.signed_in("admin"), "acme")

    with pytest.raises(NameTaken, match=r"^Username is not available$"):
        acme.services.accounts.organizations.create(acme.signed_in("admin"), "acme")


@pytest.mark.parametrize("repositories", [0, 1, 40])
def test_a_deletion_costs_the_same_however_much_there_is(acme: Backend, repositories: int) -> None:
    for number in range(repositories):
        an_organization_repository(acme, f"acme/app{number}")
    admin = acme.signed_in("admin")
    acme.calls.take()

    acme.services.accounts.organizations.delete(admin, "acme")

    assert len(acme.calls.take()) == 6


def test_a_crash_during_creation_leaves_nothing(backend: Backend) -> None:
    admin, service = backend.signed_in("admin"), backend.services.accounts.organizations
    for number in range(1, 20):
        name = f"acme{number}"
        try:
            with crash_before(backend, number):
                service.create(admin, name)
            break
        except Crash:
            assert [row for row in rows_like(backend) if name in str(row)] == []
            service.create(admin, name)
    assert number > 1


def test_a_crash_in_a_deletion_leaves_all_or_nothing(backend: Backend) -> None:
    admin, service = backend.signed_in("admin"), backend.services.accounts.organizations
    for number in range(1, 20):
        name = f"acme{number}"
        service.create(admin, name)
        identifier = id_of(backend, name)
        try:
            with crash_before(backend, number):
                service.delete(admin, name)
            break
        except Crash:
            assert (id_of(backend, name), due_at(PURGE, identifier)) == (identifier, None)
            service.delete(admin, name)
            assert due_at(PURGE, identifier) is not None
    assert number > 3


def test_superusers_list_all_organizations_page_by_page(acme: Backend) -> None:
    service, admin = acme.services.accounts.organizations, acme.signed_in("admin")
    for name in ("beta", "gone", "zeta"):
        service.create(acme.signed_in("bob"), name, f"{name}@example.com")
    service.delete_any(admin, "gone")

    found, following = service.everywhere(admin, "", 2)
    assert ([one.name for one in found], following) == (["acme", "beta"], "beta")
    rest, following = service.everywhere(admin, "beta", 100)
    assert ([(one.name, one.email) for one in rest], following) == ([("zeta", "zeta@example.com")], None)
    assert service.listed(admin, "beta") == found[1]
    with pytest.raises(ResourceUnknown):
        service.listed(admin, "gone")


def test_only_superusers_delete_organizations_of_others(acme: Backend) -> None:
    service = acme.services.accounts.organizations
    service.create(acme.signed_in("bob"), "bobs")

    for step in (service.delete_any, service.listed, lambda actor, _: service.everywhere(actor, "", 5)):
        with pytest.raises(Denied):
            step(acme.signed_in("bob"), "acme")
        with pytest.raises(Unauthenticated):
            step(ANONYMOUS, "acme")
        with pytest.raises(Denied):
            step(replace(acme.signed_in("admin"), scopes=frozenset({"org:admin"})), "acme")
    service.delete_any(acme.signed_in("admin"), "bobs")
    for name in ("bobs", "bob", "none"):
        with pytest.raises(ResourceUnknown):
            service.delete_any(acme.signed_in("admin"), name)
    (event,) = events(acme, "org_delete")
    assert event["performer"] == "admin"

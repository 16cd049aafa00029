"""Tests that superusers manage the accounts of others, with notice, and get none of their rights."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from chalicelib.domain.accounts import AccountRole, RobotName
from chalicelib.domain.errors import (
    AccountUnknown,
    Denied,
    FieldInvalid,
    NameTaken,
    NameUnknown,
    RegistryError,
    ResourceUnknown,
    SuperuserKept,
    Unauthenticated,
    WrongCredentials,
)
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import ANONYMOUS, PUSH, Actor, HolderKind, Role
from chalicelib.domain.scopes import audits, grantable
from chalicelib.services.accounts.superusers import SuperuserChanges, UserView
from chalicelib.services.activity.usage_log_reader import LogOwner
from chalicelib.services.identity.applications import ApplicationFields
from chalicelib.services.security.throttles import REGISTRY
from tests.support.backends import Backend
from tests.support.builders import a_repository, an_organization, push_image, token_actor
from tests.support.crashes import crash_everywhere, just_before_commit
from tests.support.rows import events


@pytest.fixture
def bob(backend: Backend) -> Backend:
    """A backend with a second user."""
    backend.services.accounts.accounts.create_user("bob", "password", "bob@example.com")
    return backend


def test_users_are_listed_by_name_in_pages(backend: Backend) -> None:
    for name in ("bob", "carol", "dave"):
        backend.user(name)
    admin, superusers = backend.signed_in("admin"), backend.services.accounts.superusers

    first = superusers.users(admin, "", 2)
    second = superusers.users(admin, first.following or "", 2)

    assert [user.name for user in (*first.users, *second.users)] == ["admin", "bob", "carol", "dave"]
    assert (first.following, second.following) == ("bob", None)
    assert first.users[0] == UserView("admin", None, AccountRole.SUPERUSER, is_enabled=True)


def test_deleted_users_are_not_listed_and_disabled_ones_can_be_left_out(bob: Backend) -> None:
    bob.user("carol")
    admin, superusers = bob.signed_in("admin"), bob.services.accounts.superusers
    superusers.change(admin, "bob", SuperuserChanges(enabled=False))
    bob.services.accounts.account_deletion.delete_user(admin, "carol")

    assert [user.name for user in superusers.users(admin, "", 9).users] == ["admin", "bob"]
    assert [user.name for user in superusers.users(admin, "", 9, with_disabled=False).users] == ["admin"]


def test_a_list_costs_one_query_and_one_batch(bob: Backend) -> None:
    admin = bob.signed_in("admin")
    bob.calls.take()

    bob.services.accounts.superusers.users(admin, "", 50)

    assert bob.calls.take() == ["Query", "BatchGetItem"]


def test_the_password_of_a_new_user_is_shown_once(backend: Backend) -> None:
    user = backend.services.accounts.superusers.create(backend.signed_in("admin"), "bob", "bob@example.com")

    assert (user.name, user.email) == ("bob", "bob@example.com")
    for secret in (user.password, user.client_key):
        assert backend.services.identity.authentication.by_password(REGISTRY, "bob", secret).name == "bob"
    assert [event["performer"] for event in events(backend, "user_create")] == ["admin", "admin"]
    with pytest.raises(NameTaken):
        backend.services.accounts.superusers.create(backend.signed_in("admin"), "bob", None)


def test_a_user_is_notified_of_a_password_set_by_a_superuser(bob: Backend) -> None:
    session = bob.services.identity.sessions.begin(bob.account("bob"))

    bob.services.accounts.superusers.change(bob.signed_in("admin"), "bob", SuperuserChanges(password="password-2"))

    assert bob.services.identity.sessions.believe(session.cookie) is None
    with pytest.raises(WrongCredentials):
        bob.services.identity.authentication.by_password(REGISTRY, "bob", "password")
    (notice,) = bob.services.accounts.user_notifications.page(bob.signed_in("bob"), 0, 5).notifications
    assert (notice.kind, notice.metadata) == ("password_changed_by_superuser", {"by": "admin"})
    (event,) = events(bob, "user_change_password")
    assert (event["namespace_id"], event["performer"]) == (bob.account("bob").id, "admin")
    assert json.loads(event["metadata"]) == {"username": "bob", "superuser": "admin"}


def test_a_user_is_notified_of_an_address_set_by_a_superuser(bob: Backend) -> None:
    bob.services.accounts.superusers.change(bob.signed_in("admin"), "bob", SuperuserChanges(email="new@example.com"))

    bob.services.accounts.accounts.create_user("carol", "password", "bob@example.com")
    with pytest.raises(FieldInvalid, match="another account"):
        bob.services.accounts.superusers.change(
            bob.signed_in("admin"), "bob", SuperuserChanges(email="bob@example.com")
        )
    (notice,) = bob.services.accounts.user_notifications.page(bob.signed_in("bob"), 0, 5).notifications
    assert notice.metadata == {"by": "admin", "email": "new@example.com"}
    assert len(events(bob, "user_change_email")) == 1


def test_a_disabled_user_is_signed_out_at_once_and_returns_only_by_password(bob: Backend) -> None:
    admin, row = bob.signed_in("admin"), bob.account("bob")
    session = bob.services.identity.sessions.begin(row)
    _, robot_token = bob.robot("bob+ci")

    bob.services.accounts.superusers.change(admin, "bob", SuperuserChanges(enabled=False))
    with pytest.raises(WrongCredentials):
        bob.services.identity.authentication.by_password(REGISTRY, "bob", "password")
    with pytest.raises(WrongCredentials):
        bob.services.identity.authentication.recognise("bob+ci", robot_token)
    bob.services.accounts.superusers.change(admin, "bob", SuperuserChanges(enabled=True))
    bob.services.accounts.superusers.change(admin, "bob", SuperuserChanges(enabled=True))

    assert bob.services.identity.sessions.believe(session.cookie) is None
    assert bob.services.identity.authentication.by_password(REGISTRY, "bob", "password").id == row.id
    kinds = [event["kind"] for event in events(bob) if event["kind"] in ("user_disable", "user_enable")]
    assert kinds == ["user_disable", "user_enable"]


@pytest.mark.parametrize(
    "changes",
    [SuperuserChanges(password="x"), SuperuserChanges(email="non sense")],
    ids=["password", "email"],
)
def test_an_invalid_change_changes_nothing(bob: Backend, changes: SuperuserChanges) -> None:
    with pytest.raises(FieldInvalid):
        bob.services.accounts.superusers.change(bob.signed_in("admin"), "bob", changes)
    assert bob.account("bob").epoch == 0


@pytest.mark.parametrize(
    "changes",
    [SuperuserChanges(enabled=False), SuperuserChanges(password="password-2"), SuperuserChanges(email="x@example.com")],
)
def test_no_superuser_is_changed_by_a_superuser(backend: Backend, changes: SuperuserChanges) -> None:
    with pytest.raises(SuperuserKept, match="Cannot update a superuser"):
        backend.services.accounts.superusers.change(backend.signed_in("admin"), "admin", changes)


def test_robots_and_organizations_are_unknown_as_users(backend: Backend) -> None:
    an_organization(backend)
    backend.robot("admin+ci")
    admin, superusers = backend.signed_in("admin"), backend.services.accounts.superusers
    for name in ("nobody", "acme", "admin+ci"):
        with pytest.raises(AccountUnknown):
            superusers.user(admin, name)
        with pytest.raises(AccountUnknown):
            superusers.change(admin, name, SuperuserChanges(enabled=False))


def test_only_superusers_manage_users(bob: Backend) -> None:
    row, superusers = bob.account("admin"), bob.services.accounts.superusers
    narrowed = Actor(row.id, row.name, is_superuser=True, scopes=frozenset({"user:admin", "org:admin"}))
    for actor, refusal in ((ANONYMOUS, Unauthenticated), (bob.signed_in("bob"), Denied), (narrowed, Denied)):
        attempts: list[Callable[[], object]] = [
            lambda actor=actor: superusers.users(actor, "", 5),  # type: ignore[misc]
            lambda actor=actor: superusers.user(actor, "bob"),  # type: ignore[misc]
            lambda actor=actor: superusers.create(actor, "carol", None),  # type: ignore[misc]
            lambda actor=actor: superusers.change(actor, "bob", SuperuserChanges(enabled=False)),  # type: ignore[misc]
            lambda actor=actor: bob.services.accounts.account_deletion.delete_user(actor, "bob"),  # type: ignore[misc]
        ]
        for attempt in attempts:
            with pytest.raises(refusal):
                attempt()


def test_a_crash_in_a_change_leaves_all_or_nothing(backend: Backend) -> None:
    def prepare(number: int) -> Callable[[], object]:
        backend.user(f"user{number}")
        admin, changes = backend.signed_in("admin"), SuperuserChanges(email=f"{number}@example.com", enabled=False)

        def operation() -> None:
            backend.services.accounts.superusers.change(admin, f"user{number}", changes)
            assert not backend.account(f"user{number}").enabled

        return operation

    assert crash_everywhere(backend, prepare) >= 2


def make(backend: Backend, name: str, role: AccountRole) -> Actor:
    """Gives a user a role, as the first superuser; returns their actor."""
    backend.services.accounts.superusers.change_role(backend.signed_in("admin"), name, role)
    return backend.signed_in(name)


def test_a_second_superuser_may_what_the_first_may(bob: Backend) -> None:
    session = bob.services.identity.sessions.begin(bob.account("bob"))

    second = make(bob, "bob", AccountRole.SUPERUSER)

    assert bob.services.accounts.superusers.create(second, "carol", None).name == "carol"
    assert bob.services.identity.sessions.believe(session.cookie) is None
    (notice,) = bob.services.accounts.user_notifications.page(second, 0, 5).notifications
    assert (notice.kind, notice.metadata) == ("role_changed_by_superuser", {"by": "admin", "role": "superuser"})
    (event,) = events(bob, "user_change_role")
    assert (event["namespace_id"], event["performer"]) == (bob.account("bob").id, "admin")
    assert json.loads(event["metadata"]) == {
        "username": "bob",
        "superuser": "admin",
        "old_role": "user",
        "role": "superuser",
    }


def test_a_superuser_whose_role_is_taken_is_a_user_like_others(bob: Backend) -> None:
    second, session = make(bob, "bob", AccountRole.SUPERUSER), bob.services.identity.sessions
    cookie = session.begin(bob.account("admin")).cookie

    assert bob.services.accounts.superusers.change_role(second, "admin", AccountRole.USER).role is AccountRole.USER

    assert session.believe(cookie) is None
    with pytest.raises(Denied):
        make(bob, "bob", AccountRole.USER)
    bob.services.accounts.account_deletion.delete_user(second, "admin")


def test_the_same_role_again_changes_nothing(bob: Backend) -> None:
    before = make(bob, "bob", AccountRole.READ_ONLY_SUPERUSER)

    assert make(bob, "bob", AccountRole.READ_ONLY_SUPERUSER).epoch == before.epoch
    assert len(events(bob, "user_change_role")) == 1


def test_a_read_only_superuser_acts_as_one_only_in_a_request_that_reads(bob: Backend) -> None:
    auditor, superusers = make(bob, "bob", AccountRole.READ_ONLY_SUPERUSER), bob.services.accounts.superusers

    assert [user.name for user in superusers.users(auditor.reading(), "", 9).users] == ["admin", "bob"]
    with pytest.raises(Denied):
        superusers.users(auditor, "", 9)
    with pytest.raises(Denied):
        superusers.change_role(auditor, "bob", AccountRole.SUPERUSER)


@pytest.mark.parametrize("role", AccountRole)
def test_nobody_changes_their_own_role(backend: Backend, role: AccountRole) -> None:
    with pytest.raises(FieldInvalid, match="another superuser can"):
        backend.services.accounts.superusers.change_role(backend.signed_in("admin"), "admin", role)
    assert backend.account("admin").superuser


def test_of_two_superusers_who_take_the_role_of_each_other_one_remains(bob: Backend) -> None:
    first, second = bob.signed_in("admin"), make(bob, "bob", AccountRole.SUPERUSER)
    superusers = bob.services.accounts.superusers

    other = just_before_commit(bob, lambda: superusers.change_role(second, "admin", AccountRole.USER))
    with other, pytest.raises(Denied):
        superusers.change_role(first, "bob", AccountRole.USER)

    assert [bob.account(name).superuser for name in ("admin", "bob")] == [False, True]


def test_a_token_changes_no_role_and_a_disabled_user_gets_none(bob: Backend) -> None:
    superusers, admin = bob.services.accounts.superusers, bob.signed_in("admin")
    by_token = replace(admin, is_session=False, has_token=True, scopes=frozenset({"super:user"}))

    with pytest.raises(Denied):
        superusers.change_role(by_token, "bob", AccountRole.SUPERUSER)
    superusers.change(admin, "bob", SuperuserChanges(enabled=False))
    with pytest.raises(FieldInvalid, match="enable the user first"):
        superusers.change_role(admin, "bob", AccountRole.SUPERUSER)
    with pytest.raises(AccountUnknown):
        superusers.change_role(admin, "nobody", AccountRole.SUPERUSER)


def test_a_crash_in_a_change_of_a_role_leaves_all_or_nothing(backend: Backend) -> None:
    def prepare(number: int) -> Callable[[], object]:
        backend.user(f"user{number}")
        admin, superusers = backend.signed_in("admin"), backend.services.accounts.superusers

        def operation() -> None:
            superusers.change_role(admin, f"user{number}", AccountRole.SUPERUSER)
            assert backend.account(f"user{number}").superuser

        return operation

    assert crash_everywhere(backend, prepare) >= 2


def test_a_token_of_a_read_only_superuser_needs_the_scope_of_superusers(bob: Backend) -> None:
    auditor = make(bob, "bob", AccountRole.READ_ONLY_SUPERUSER)

    for scopes, is_let in ((None, True), (frozenset({"super:user"}), True), (frozenset({"org:admin"}), False)):
        assert audits(replace(auditor, scopes=scopes).reading()) is is_let
    assert grantable(frozenset({"super:user"}), is_superuser=auditor.may_grant_superusers_scope)


def ways_in(backend: Backend) -> dict[str, Callable[[], object]]:
    """Returns the operations with which a superuser might reach what belongs to bob."""
    admin, services, app = backend.signed_in("admin"), backend.services, RepositoryName.parse("bob/app")
    return {
        "read a repository": lambda: services.security.access.require_role(admin, app, Role.READ),
        "write a repository": lambda: services.security.access.require_role(admin, app, Role.WRITE),
        "administer it": lambda: services.accounts.permissions.of_repository(admin, app, HolderKind.USER),
        "read robots": lambda: services.accounts.robots.of_namespace(admin, "bob", with_tokens=True),
        "read a robot's token": lambda: services.accounts.robots.get(admin, RobotName.parse("bob+ci")),
        "make a robot": lambda: services.accounts.robots.create(admin, RobotName.parse("bob+mine")),
        "administer an organization": lambda: services.security.access.administered(admin, "acme"),
        "join its owners": lambda: services.accounts.teams.add_member(admin, "acme", "owners", "admin"),
        "read its applications": lambda: services.identity.applications.of_organization(admin, "acme"),
    }


WAYS = [
    "read a repository", "write a repository", "administer it", "read robots", "read a robot's token", "make a robot",
    "administer an organization", "join its owners", "read its applications",
]  # fmt: skip


@pytest.fixture
def others(bob: Backend) -> Backend:
    """A backend where another user has a private image, a robot and an organization."""
    a_repository(bob, "bob/app")
    push_image(bob, "v1", repository="bob/app")
    bob.robot("bob+ci")
    an_organization(bob, "acme", "bob")
    return bob


def test_a_read_only_superuser_sees_robots_and_applications_of_others_without_their_secrets(others: Backend) -> None:
    services, bob = others.services, others.signed_in("bob")
    others.user("carol")
    services.identity.applications.create(bob, "acme", ApplicationFields("bot"))
    services.accounts.robots.create(bob, RobotName.parse("acme+ci"))
    auditor = make(others, "carol", AccountRole.READ_ONLY_SUPERUSER).reading()

    def secrets_seen() -> list[str | None]:
        robots = services.accounts.robots.of_namespace(auditor, "acme", with_tokens=True)
        robot = services.accounts.robots.get(auditor, RobotName.parse("acme+ci"))
        applications = services.identity.applications.of_organization(auditor, "acme")
        application = services.identity.applications.get(auditor, "acme", applications[0].client_id)
        return [robots[0].token, robot.token, applications[0].secret, application.secret]

    assert secrets_seen() == [None] * 4
    services.accounts.teams.add_member(bob, "acme", "owners", "carol")
    assert all(secrets_seen())


def test_a_read_only_superuser_reads_every_log_and_no_repository_without_full_access(others: Backend) -> None:
    others.user("carol")
    auditor = make(others, "carol", AccountRole.READ_ONLY_SUPERUSER)
    reader, app = others.services.activity.usage_log_reader, RepositoryName.parse("bob/app")

    for owner in (LogOwner(organization="acme"), LogOwner(repository=app), LogOwner(everybody=True)):
        assert reader.readable_log(auditor.reading(), owner).runs
        with pytest.raises(Denied):
            reader.readable_log(auditor, owner)
    with pytest.raises(Denied):
        others.services.security.access.require_role(auditor.reading(), app, Role.READ)
    with pytest.raises(NameUnknown):
        reader.readable_log(auditor.reading(), LogOwner(repository=RepositoryName.parse("bob/none")))


@pytest.mark.parametrize("way", WAYS)
def test_a_superuser_cannot_reach_what_belongs_to_others(others: Backend, way: str) -> None:
    with pytest.raises((Denied, ResourceUnknown, AccountUnknown, Unauthenticated)):
        ways_in(others)[way]()


def test_every_operation_on_another_user_s_namespace_is_tried(others: Backend) -> None:
    assert list(ways_in(others)) == WAYS


def test_a_superusers_registry_token_neither_pulls_nor_pushes(others: Backend) -> None:
    grant = token_actor(others, "admin", "bob/app").grants["bob/app"]

    assert grant.actions == frozenset()
    with pytest.raises(RegistryError):
        others.services.registry.manifests.pull(
            others.actor("admin", "bob/app"), RepositoryName.parse("bob/app"), Tag("v1")
        )
    assert PUSH not in grant.actions

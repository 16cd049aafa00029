"""Tests that default permissions are managed by owners and set on new repositories only."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chalicelib.domain.accounts import RobotName
from chalicelib.domain.errors import Denied, FieldInvalid, ResourceUnknown, Unauthenticated
from chalicelib.domain.ids import ulid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, Actor, HolderKind, Role
from chalicelib.domain.repositories import Repository
from chalicelib.domain.teams import TeamRole
from chalicelib.services.accounts.prototypes import MOST, NewPrototype, Prototype, PrototypeParty
from chalicelib.storage.accounts.permissions import RoleHolder
from chalicelib.storage.table import Transaction
from tests.support.backends import Backend
from tests.support.builders import a_team, an_organization
from tests.support.crashes import Crash, crash_before
from tests.support.rows import events, rows_like

BOB = NewPrototype(Role.READ, HolderKind.USER, "bob")


@pytest.fixture
def acme(backend: Backend) -> Backend:
    an_organization(backend)
    for name in ("bob", "carol"):
        backend.user(name)
    a_team(backend, "devs", TeamRole.MEMBER, "carol")
    backend.services.accounts.robots.create(backend.signed_in("admin"), RobotName.parse("acme+ci"))
    return backend


def created(backend: Backend, wish: NewPrototype) -> Prototype:
    return backend.services.accounts.prototypes.create(backend.signed_in("admin"), "acme", wish)


def given(backend: Backend, maker: str = "admin") -> dict[str, str]:
    """Returns the roles on a new repository by holder, without its maker's."""
    namespace_id, account = backend.services.stores.accounts.find("acme").id, backend.account(maker)
    repository = Repository(ulid(), namespace_id, RepositoryName.parse("acme/app"))
    transaction, store = Transaction(), backend.services.stores.permissions
    own = RoleHolder(account.id, maker, HolderKind.USER)
    store.put(transaction, (namespace_id, repository.id), own, Role.ADMIN, is_new=True)
    backend.services.accounts.prototypes.apply(transaction, repository, account.id)
    transaction.commit()
    rows = rows_like(backend, f"R#{repository.id}", "PERM#")
    assert len(rows_like(backend, "", f"ROLE#{namespace_id}#{repository.id}")) == len(rows)
    return {row["name"]: row["role"] for row in rows if row["name"] != maker}


def test_a_default_permission_is_created_listed_changed_and_removed(acme: Backend) -> None:
    service, admin = acme.services.accounts.prototypes, acme.signed_in("admin")

    made = created(acme, BOB)
    assert made == Prototype(made.uuid, Role.READ, PrototypeParty("bob", HolderKind.USER, is_member=False), None)
    team = created(acme, NewPrototype(Role.WRITE, HolderKind.TEAM, "devs", "carol"))
    assert (team.delegate, team.maker) == (
        PrototypeParty("devs", HolderKind.TEAM),
        PrototypeParty("carol", HolderKind.USER, is_member=True),
    )
    robot = created(acme, NewPrototype(Role.WRITE, HolderKind.USER, "acme+ci"))
    assert robot.delegate == PrototypeParty("acme+ci", HolderKind.ROBOT)
    found = service.of_organization(admin, "acme")
    assert sorted(found, key=lambda one: one.uuid) == sorted([made, team, robot], key=lambda one: one.uuid)
    assert service.change(admin, "acme", made.uuid, Role.ADMIN) == replace(made, role=Role.ADMIN)
    service.delete(admin, "acme", made.uuid)
    with pytest.raises(ResourceUnknown):
        service.delete(admin, "acme", made.uuid)
    with pytest.raises(ResourceUnknown):
        service.change(admin, "acme", made.uuid, Role.READ)
    kinds = [event["kind"].split("_")[0] for event in events(acme) if event["kind"].endswith("prototype_permission")]
    assert kinds == ["create", "create", "create", "modify", "delete"]
    assert '"original_role":"read"' in events(acme, "modify")[0]["metadata"]
    assert '"activating_username":"carol"' in str(events(acme, "create_prototype")[1]["metadata"])


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        (replace(BOB, delegate="nobody"), "Missing delegate user or team"),
        (replace(BOB, delegate="acme"), "Missing delegate user or team"),
        (replace(BOB, kind=HolderKind.TEAM), "Team does not exist: bob"),
        (replace(BOB, maker="nobody"), "Unknown activating user"),
        (replace(BOB, maker="acme"), "Unknown activating user"),
        (replace(BOB, delegate="bob+ci"), "Cannot add robot bob+ci under namespace acme"),
    ],
)
def test_an_invalid_delegate_is_refused_with_the_reason(acme: Backend, wish: NewPrototype, why: str) -> None:
    acme.robot("bob+ci")

    with pytest.raises(FieldInvalid) as refused:
        created(acme, wish)
    assert str(refused.value) == why


def test_new_repositories_get_the_default_permissions(acme: Backend) -> None:
    created(acme, BOB)
    created(acme, NewPrototype(Role.WRITE, HolderKind.TEAM, "devs"))
    created(acme, NewPrototype(Role.ADMIN, HolderKind.USER, "acme+ci", "carol"))

    assert given(acme) == {"bob": "read", "devs": "write"}
    assert given(acme, "carol") == {"bob": "read", "devs": "write", "acme+ci": "admin"}


def test_a_rule_for_the_maker_overrides_one_for_all_and_the_greater_role_counts(acme: Backend) -> None:
    created(acme, replace(BOB, role=Role.ADMIN))
    created(acme, replace(BOB, role=Role.READ, maker="carol"))
    created(acme, replace(BOB, role=Role.WRITE, maker="carol"))

    assert (given(acme), given(acme, "carol")) == ({"bob": "admin"}, {"bob": "write"})


def test_the_maker_who_is_admin_gets_no_default_permission(acme: Backend) -> None:
    created(acme, BOB)

    assert given(acme, "bob") == {}


def test_a_deleted_delegate_and_a_new_holder_of_the_name_get_nothing(acme: Backend) -> None:
    admin, robot = acme.signed_in("admin"), RobotName.parse("acme+ci")
    created(acme, NewPrototype(Role.WRITE, HolderKind.TEAM, "devs"))
    created(acme, NewPrototype(Role.WRITE, HolderKind.USER, "acme+ci"))
    acme.services.accounts.teams.remove(admin, "acme", "devs")
    acme.services.accounts.robots.delete(admin, robot)
    a_team(acme, "devs", TeamRole.MEMBER)
    acme.services.accounts.robots.create(admin, robot)

    assert given(acme) == {}
    assert acme.services.accounts.prototypes.of_organization(admin, "acme") == []


def test_a_user_s_namespace_has_no_default_permissions(acme: Backend) -> None:
    created(acme, BOB)
    transaction = Transaction()
    own = Repository(ulid(), acme.account("carol").id, RepositoryName.parse("carol/app"))

    acme.services.accounts.prototypes.apply(transaction, own, acme.account("carol").id)

    assert rows_like(acme, f"R#{own.id}") == []


def test_at_most_as_many_as_fit_one_transaction_are_accepted(acme: Backend) -> None:
    for number in range(MOST):
        acme.services.accounts.robots.create(acme.signed_in("admin"), RobotName.parse(f"acme+r{number}"))
        created(acme, NewPrototype(Role.WRITE, HolderKind.USER, f"acme+r{number}"))

    with pytest.raises(FieldInvalid, match="at most"):
        created(acme, BOB)
    acme.calls.take()
    assert len(given(acme)) == MOST
    assert acme.calls.take().count("Query") <= 2


STEPS: dict[str, Callable[[Backend, Actor], object]] = {
    "list": lambda backend, actor: backend.services.accounts.prototypes.of_organization(actor, "acme"),
    "create": lambda backend, actor: backend.services.accounts.prototypes.create(actor, "acme", BOB),
    "change": lambda backend, actor: backend.services.accounts.prototypes.change(actor, "acme", "x", Role.READ),
    "delete": lambda backend, actor: backend.services.accounts.prototypes.delete(actor, "acme", "x"),
}


@pytest.mark.parametrize("step", STEPS)
def test_an_actor_who_is_no_admin_of_the_organization_is_refused(acme: Backend, step: str) -> None:
    for name in ("bob", "carol"):
        with pytest.raises(Denied):
            STEPS[step](acme, acme.signed_in(name))
    with pytest.raises(Denied):
        STEPS[step](acme, replace(acme.signed_in("admin"), scopes=frozenset({"repo:admin"})))
    with pytest.raises(Unauthenticated):
        STEPS[step](acme, ANONYMOUS)


def test_a_crash_leaves_a_whole_default_permission_or_none(acme: Backend) -> None:
    for number in range(1, 30):
        before = len(rows_like(acme, "N#", "PROTOTYPE#"))
        try:
            with crash_before(acme, number):
                created(acme, BOB)
            break
        except Crash:
            assert len(rows_like(acme, "N#", "PROTOTYPE#")) == before
            assert len(events(acme, "create_prototype_permission")) == before
    assert number > 5

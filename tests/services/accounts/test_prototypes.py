"""Default permissions: kept by owners, given on repositories as they are made, and on none that are there."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chalicelib.domain.accounts import RobotName
from chalicelib.domain.errors import Denied, FieldInvalid, ResourceUnknown, Unauthenticated
from chalicelib.domain.ids import ulid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, Actor, Role
from chalicelib.domain.repositories import Repository
from chalicelib.domain.teams import TeamRole
from chalicelib.services.accounts.prototypes import MOST, NewPrototype, Prototype, PrototypeParty
from chalicelib.storage.accounts.permissions import RoleHolder
from chalicelib.storage.table import Transaction
from tests.support.backends import House
from tests.support.builders import a_team, an_organization
from tests.support.crashes import Crash, crash_before
from tests.support.rows import events, rows_like

BOB = NewPrototype(Role.READ, "user", "bob")


@pytest.fixture
def acme(house: House) -> House:
    an_organization(house)
    for name in ("bob", "carol"):
        house.user(name)
    a_team(house, "devs", TeamRole.MEMBER, "carol")
    house.services.robots.create(house.signed_in("admin"), RobotName.parse("acme+ci"))
    return house


def created(house: House, wish: NewPrototype) -> Prototype:
    return house.services.prototypes.create(house.signed_in("admin"), "acme", wish)


def given(house: House, maker: str = "admin") -> dict[str, str]:
    """The roles on a repository that somebody makes, by their holders, without the maker's own."""
    namespace_id, account = house.services._accounts.find("acme").id, house.account(maker)
    repository = Repository(ulid(), namespace_id, RepositoryName.parse("acme/app"))
    transaction, store = Transaction(), house.services._permissions
    own = RoleHolder(account.id, maker, "user")
    store.put(transaction, (namespace_id, repository.id), own, Role.ADMIN, is_new=True)
    house.services.prototypes.apply(transaction, repository, account.id)
    transaction.commit()
    rows = rows_like(house, f"R#{repository.id}", "PERM#")
    assert len(rows_like(house, "", f"GRANT#{namespace_id}#{repository.id}")) == len(rows)
    return {row["name"]: row["role"] for row in rows if row["name"] != maker}


def test_one_is_made_listed_changed_and_removed(acme: House) -> None:
    service, admin = acme.services.prototypes, acme.signed_in("admin")

    made = created(acme, BOB)
    assert made == Prototype(made.uuid, Role.READ, PrototypeParty("bob", "user", is_member=False), None)
    team = created(acme, NewPrototype(Role.WRITE, "team", "devs", "carol"))
    assert (team.delegate, team.maker) == (
        PrototypeParty("devs", "team"),
        PrototypeParty("carol", "user", is_member=True),
    )
    robot = created(acme, NewPrototype(Role.WRITE, "user", "acme+ci"))
    assert robot.delegate == PrototypeParty("acme+ci", "robot")
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
        (replace(BOB, kind="team"), "Team does not exist: bob"),
        (replace(BOB, maker="nobody"), "Unknown activating user"),
        (replace(BOB, maker="acme"), "Unknown activating user"),
        (replace(BOB, delegate="bob+ci"), "Cannot add robot bob+ci under namespace acme"),
    ],
)
def test_who_can_be_given_nothing_is_told_why(acme: House, wish: NewPrototype, why: str) -> None:
    acme.robot("bob+ci")

    with pytest.raises(FieldInvalid) as refused:
        created(acme, wish)
    assert str(refused.value) == why


def test_new_repositories_have_what_was_wanted(acme: House) -> None:
    created(acme, BOB)
    created(acme, NewPrototype(Role.WRITE, "team", "devs"))
    created(acme, NewPrototype(Role.ADMIN, "user", "acme+ci", "carol"))

    assert given(acme) == {"bob": "read", "devs": "write"}
    assert given(acme, "carol") == {"bob": "read", "devs": "write", "acme+ci": "admin"}


def test_a_rule_for_the_maker_beats_one_for_all_and_of_equals_the_greater_counts(acme: House) -> None:
    created(acme, replace(BOB, role=Role.ADMIN))
    created(acme, replace(BOB, role=Role.READ, maker="carol"))
    created(acme, replace(BOB, role=Role.WRITE, maker="carol"))

    assert (given(acme), given(acme, "carol")) == ({"bob": "admin"}, {"bob": "write"})


def test_the_maker_who_has_more_gets_nothing_by_a_rule(acme: House) -> None:
    created(acme, BOB)

    assert given(acme, "bob") == {}


def test_who_is_gone_is_given_nothing_and_a_successor_of_the_name_neither(acme: House) -> None:
    admin, robot = acme.signed_in("admin"), RobotName.parse("acme+ci")
    created(acme, NewPrototype(Role.WRITE, "team", "devs"))
    created(acme, NewPrototype(Role.WRITE, "user", "acme+ci"))
    acme.services.teams.remove(admin, "acme", "devs")
    acme.services.robots.delete(admin, robot)
    a_team(acme, "devs", TeamRole.MEMBER)
    acme.services.robots.create(admin, robot)

    assert given(acme) == {}
    assert acme.services.prototypes.of_organization(admin, "acme") == []


def test_a_user_s_own_namespace_has_none(acme: House) -> None:
    created(acme, BOB)
    transaction = Transaction()
    own = Repository(ulid(), acme.account("carol").id, RepositoryName.parse("carol/app"))

    acme.services.prototypes.apply(transaction, own, acme.account("carol").id)

    assert rows_like(acme, f"R#{own.id}") == []


def test_as_many_as_fit_one_transaction_are_taken(acme: House) -> None:
    for number in range(MOST):
        acme.services.robots.create(acme.signed_in("admin"), RobotName.parse(f"acme+r{number}"))
        created(acme, NewPrototype(Role.WRITE, "user", f"acme+r{number}"))

    with pytest.raises(FieldInvalid, match="at most"):
        created(acme, BOB)
    acme.calls.take()
    assert len(given(acme)) == MOST
    assert acme.calls.take().count("Query") <= 2


STEPS: dict[str, Callable[[House, Actor], object]] = {
    "list": lambda house, actor: house.services.prototypes.of_organization(actor, "acme"),
    "create": lambda house, actor: house.services.prototypes.create(actor, "acme", BOB),
    "change": lambda house, actor: house.services.prototypes.change(actor, "acme", "x", Role.READ),
    "delete": lambda house, actor: house.services.prototypes.delete(actor, "acme", "x"),
}


@pytest.mark.parametrize("step", STEPS)
def test_who_does_not_administer_the_organization_is_refused(acme: House, step: str) -> None:
    for name in ("bob", "carol"):
        with pytest.raises(Denied):
            STEPS[step](acme, acme.signed_in(name))
    with pytest.raises(Denied):
        STEPS[step](acme, replace(acme.signed_in("admin"), scopes=frozenset({"repo:admin"})))
    with pytest.raises(Unauthenticated):
        STEPS[step](acme, ANONYMOUS)


def test_a_crash_leaves_a_whole_one_or_none(acme: House) -> None:
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

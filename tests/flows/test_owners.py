"""Owners who act against each other at the same moment: in any order of their calls, exactly one succeeds."""

from collections.abc import Callable

import pytest

from chalicelib.domain.errors import Denied, RegistryError
from chalicelib.domain.teams import TeamRole
from tests.support.backends import Backend
from tests.support.builders import a_team, an_organization
from tests.support.crashes import meanwhile

OWNER, MEMBER = TeamRole.ADMIN, TeamRole.MEMBER


@pytest.fixture
def acme(backend: Backend) -> Backend:
    an_organization(backend)
    for name in ("bob", "carol"):
        backend.user(name)
    return backend


def owners(backend: Backend) -> set[str]:
    """Returns the names of acme's administrators."""
    teams = backend.services.stores.teams
    found = teams.of_organization(backend.services.stores.accounts.find("acme").id)
    return {row.name for team in found if team.role is OWNER for row in teams.members(team.id)}


def names(backend: Backend, team: str, by: str = "admin") -> list[str]:
    return [row.name for row in backend.services.accounts.teams.roster(backend.signed_in(by), "acme", team).members]


REMOVALS: dict[str, Callable[[Backend, str, str], object]] = {
    "each other from the team": lambda backend, by, whom: backend.services.accounts.teams.remove_member(
        backend.signed_in(by), "acme", "owners", whom
    ),
    "each other from everything": lambda backend, by, whom: backend.services.accounts.teams.leave_all(
        backend.signed_in(by), "acme", whom
    ),
}


@pytest.mark.parametrize("removal", REMOVALS)
def test_of_two_owners_who_remove_each_other_exactly_one_wins(acme: Backend, removal: str) -> None:
    """The second removal happens before each of the first one's calls in turn."""
    service, remove = acme.services.accounts.teams, REMOVALS[removal]
    number = was_done = 1
    while was_done:
        if "bob" not in owners(acme):
            service.add_member(acme.signed_in("admin"), "acme", "owners", "bob")
        with meanwhile(acme, number, lambda: remove(acme, "bob", "admin")) as done:
            try:
                remove(acme, "admin", "bob")
            except Denied:
                assert done, "nobody was in the way"
        was_done = len(done)
        assert owners(acme) == ({"bob"} if done else {"admin"}), f"before call {number}"
        if done:
            service.add_member(acme.signed_in("bob"), "acme", "owners", "admin")
        number += 1
    assert number > 8


SEIZING: dict[str, Callable[[Backend], object]] = {
    "takes a friend in": lambda backend: backend.services.accounts.teams.add_member(
        backend.signed_in("bob"), "acme", "owners", "carol"
    ),
    "makes friends owners": lambda backend: backend.services.accounts.teams.put(
        backend.signed_in("bob"), "acme", "friends", OWNER, None
    ),
    "deletes the organization": lambda backend: backend.services.accounts.organizations.delete(
        backend.signed_in("bob"), "acme"
    ),
}


@pytest.mark.parametrize("seizing", SEIZING)
def test_an_owner_who_is_removed_during_an_operation_gains_nothing(acme: Backend, seizing: str) -> None:
    """The operation happens completely before the removal or not at all."""
    service = acme.services.accounts.teams
    a_team(acme, "friends", MEMBER, "carol")
    service.add_member(acme.signed_in("admin"), "acme", "owners", "bob")

    def remove() -> None:
        service.remove_member(acme.signed_in("admin"), "acme", "owners", "bob")

    number = was_done = 1
    while was_done:
        with meanwhile(acme, number, remove) as done:
            if not is_refused(lambda: SEIZING[seizing](acme)):
                assert not done, f"before call {number}"
                break
        assert owners(acme) == {"admin"}
        service.add_member(acme.signed_in("admin"), "acme", "owners", "bob")
        was_done, number = len(done), number + 1
    assert number > 5


def is_refused(operation: Callable[[], object]) -> bool:
    try:
        operation()
    except RegistryError:
        return True
    return False


def test_a_team_that_becomes_the_only_owners_is_not_emptied(acme: Backend) -> None:
    """devs become owners and the old owners leave while bob, who is being removed from devs, is the last owner."""
    service, admin = acme.services.accounts.teams, acme.signed_in("admin")
    number = was_done = 1
    while was_done:
        a_team(acme, "devs", MEMBER)
        if names(acme, "devs") == []:
            service.add_member(admin, "acme", "devs", "bob")

        def promote() -> None:
            service.put(admin, "acme", "devs", OWNER, None)
            service.remove_member(acme.signed_in("bob"), "acme", "owners", "admin")

        with meanwhile(acme, number, promote) as done:
            is_refused(lambda: service.remove_member(admin, "acme", "devs", "bob"))
        assert owners(acme), f"before call {number}"
        if done:
            service.add_member(acme.signed_in("bob"), "acme", "owners", "admin")
            service.put(admin, "acme", "devs", MEMBER, None)
        was_done, number = len(done), number + 1
    assert number > 5

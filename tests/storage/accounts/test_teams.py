"""Storage of teams, whose names are unique, and of memberships, found from both sides."""

import pytest

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.teams import TeamRole
from chalicelib.storage.accounts.teams import TeamRow, TeamStore
from chalicelib.storage.table import Transaction, WriteConflict
from tests.support.backends import Backend
from tests.support.builders import a_team_row

STORE = TeamStore()


def add(name: str, organization: str = "org") -> TeamRow:
    team = a_team_row(organization, name, TeamRole.MEMBER)
    transaction = Transaction()
    STORE.add(transaction, team)
    transaction.commit()
    return team


def join(team: TeamRow, account_id: str) -> None:
    transaction = Transaction()
    STORE.join(transaction, team, account_id, f"name-{account_id}", AccountKind.USER)
    transaction.commit()


def leave(team: TeamRow, account_id: str) -> None:
    transaction = Transaction()
    STORE.leave(transaction, team, account_id)
    transaction.commit()


def test_a_team_is_found_by_name_in_its_organization(backend: Backend) -> None:
    team = add("devs")

    found = STORE.find("org", "devs")
    assert found is not None
    assert (found.id, found.role) == (team.id, TeamRole.MEMBER)
    assert STORE.find("other", "devs") is None
    assert STORE.find("org", "") is None


def test_a_name_is_taken_once(backend: Backend) -> None:
    add("devs")

    with pytest.raises(WriteConflict):
        add("devs")
    add("devs", "other")


def test_teams_are_listed_by_name(backend: Backend) -> None:
    for name in ("ops", "devs", "owners"):
        add(name)

    assert [team.name for team in STORE.of_organization("org")] == ["devs", "ops", "owners"]


def test_a_membership_is_seen_from_both_sides(backend: Backend) -> None:
    team = add("devs")
    join(team, "a1")

    assert STORE.of_account("a1", "org") == [team.id]
    assert [(row.account_id, row.name) for row in STORE.members(team.id)] == [("a1", "name-a1")]
    with pytest.raises(WriteConflict):
        join(team, "a1")

    leave(team, "a1")
    assert STORE.of_account("a1", "org") == []
    assert STORE.members(team.id) == []
    with pytest.raises(WriteConflict):
        leave(team, "a1")

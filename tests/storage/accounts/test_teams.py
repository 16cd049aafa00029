"""Teams as they are kept: a name once in an organization, a membership on both sides."""

import pytest

from chalicelib.domain.teams import TeamRole
from chalicelib.storage.accounts.teams import TeamRow, TeamStore
from chalicelib.storage.table import Transaction, WriteConflict
from tests.support.backends import Backend
from tests.support.builders import a_team_row

STORE = TeamStore()


def added(name: str, organization: str = "org") -> TeamRow:
    team = a_team_row(organization, name, TeamRole.MEMBER)
    transaction = Transaction()
    STORE.add(transaction, team)
    transaction.commit()
    return team


def joined(team: TeamRow, account_id: str) -> None:
    transaction = Transaction()
    STORE.join(transaction, team, account_id, f"name-{account_id}", "user")
    transaction.commit()


def left(team: TeamRow, account_id: str) -> None:
    transaction = Transaction()
    STORE.leave(transaction, team, account_id)
    transaction.commit()


def test_a_team_is_found_by_name_in_its_organization(backend: Backend) -> None:
    team = added("devs")

    found = STORE.find("org", "devs")
    assert found is not None
    assert (found.id, found.role) == (team.id, TeamRole.MEMBER)
    assert STORE.find("other", "devs") is None
    assert STORE.find("org", "") is None


def test_a_name_is_taken_once(backend: Backend) -> None:
    added("devs")

    with pytest.raises(WriteConflict):
        added("devs")
    added("devs", "other")


def test_teams_are_listed_by_name(backend: Backend) -> None:
    for name in ("ops", "devs", "owners"):
        added(name)

    assert [team.name for team in STORE.of_organization("org")] == ["devs", "ops", "owners"]


def test_a_membership_is_seen_from_both_sides(backend: Backend) -> None:
    team = added("devs")
    joined(team, "a1")

    assert STORE.of_account("a1", "org") == [team.id]
    assert [(row.account_id, row.name) for row in STORE.members(team.id)] == [("a1", "name-a1")]
    with pytest.raises(WriteConflict):
        joined(team, "a1")

    left(team, "a1")
    assert STORE.of_account("a1", "org") == []
    assert STORE.members(team.id) == []
    with pytest.raises(WriteConflict):
        left(team, "a1")

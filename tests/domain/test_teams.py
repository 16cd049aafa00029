"""Teams: their names, and roles that include each other."""

import pytest

from chalicelib.domain.errors import TeamInvalid
from chalicelib.domain.teams import TeamRole, parse_team


def test_an_admin_includes_a_creator_and_a_creator_includes_a_member() -> None:
    assert TeamRole.ADMIN.rank > TeamRole.CREATOR.rank > TeamRole.MEMBER.rank


@pytest.mark.parametrize("name", ["ab", "owners", "a-b.c_d"])
def test_a_teams_name_has_the_grammar_of_an_accounts(name: str) -> None:
    assert parse_team(name) == name


@pytest.mark.parametrize("name", ["", "a", "A-Team", "a--b", "-ab", "a b", "a" * 256])
def test_any_other_name_is_refused_and_named(name: str) -> None:
    with pytest.raises(TeamInvalid, match="Invalid team name"):
        parse_team(name)

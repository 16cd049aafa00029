"""Teams: their names, and roles that include one another."""

import pytest

from chalicelib.domain.errors import TeamInvalid
from chalicelib.domain.teams import TeamRole, parse_team


def test_an_admin_may_what_a_creator_may_and_a_creator_what_a_member_may() -> None:
    assert TeamRole.ADMIN.rank > TeamRole.CREATOR.rank > TeamRole.MEMBER.rank


@pytest.mark.parametrize("name", ["ab", "owners", "a-b.c_d"])
def test_a_team_is_named_as_an_account_is(name: str) -> None:
    assert parse_team(name) == name


@pytest.mark.parametrize("name", ["", "a", "A-Team", "a--b", "-ab", "a b", "a" * 256])
def test_any_other_name_is_refused_and_told(name: str) -> None:
    with pytest.raises(TeamInvalid, match="Invalid team name"):
        parse_team(name)

"""Teams of an organization, and their roles in it."""

from enum import StrEnum

from chalicelib.domain.errors import TeamInvalid
from chalicelib.domain.names import ACCOUNT

# The first team of a new organization.
OWNERS = "owners"


class TeamRole(StrEnum):
    """The role of a team's members in the organization as a whole; each includes those before it."""

    MEMBER = "member"
    CREATOR = "creator"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """The place of this role in the order of roles, from 0."""
        return list(TeamRole).index(self)


def parse_team(text: str) -> str:
    """Returns the text if it can be a team's name. Raises TeamInvalid."""
    if not ACCOUNT.fullmatch(text):
        raise TeamInvalid(text)
    return text

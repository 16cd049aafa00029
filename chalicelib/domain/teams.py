"""Teams of an organization: what their members may do in all of it."""

from enum import StrEnum

from chalicelib.domain.errors import TeamInvalid
from chalicelib.domain.names import ACCOUNT

# The team that a new organization begins with.
OWNERS = "owners"


class TeamRole(StrEnum):
    """What a team gives on the organization as a whole; each includes those before it."""

    MEMBER = "member"
    CREATOR = "creator"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """Where it stands among them."""
        return list(TeamRole).index(self)


def parse_team(text: str) -> str:
    """A team's name. Raises TeamInvalid."""
    if not ACCOUNT.fullmatch(text):
        raise TeamInvalid(text)
    return text

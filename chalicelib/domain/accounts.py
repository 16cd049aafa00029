"""Users and robots."""

from dataclasses import dataclass
from enum import Enum

from chalicelib.domain.names import parse_account, parse_robot

# What our random secrets begin with, so that a scanner of leaked secrets and the sign-in door know them.
ROBOT_TOKEN_PREFIX = "cbr_"  # noqa: S105 - a prefix, no secret
APP_TOKEN_PREFIX, OAUTH_TOKEN_PREFIX, SESSION_PREFIX = "cba_", "cbo_", "cbs_"
# The names that clients of the registry sign in with beside such a token (Quay's).
APP_TOKEN_USER, OAUTH_TOKEN_USER = "$app", "$oauthtoken"


class Kind(Enum):
    """What an account is."""

    USER = "user"
    ROBOT = "robot"
    ORGANIZATION = "organization"


@dataclass(frozen=True, slots=True)
class Account:
    """Someone who can sign in."""

    id: str
    name: str
    kind: Kind
    enabled: bool = True
    epoch: int = 0
    superuser: bool = False


@dataclass(frozen=True, slots=True)
class RobotName:
    """`namespace+robot`."""

    namespace: str
    robot: str

    @classmethod
    def parse(cls, text: str) -> "RobotName":
        """Reads a robot's full name. Raises NameInvalid."""
        namespace, _, robot = text.partition("+")
        return cls(parse_account(namespace), parse_robot(robot))

    def __str__(self) -> str:
        return f"{self.namespace}+{self.robot}"

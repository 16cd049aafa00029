"""Users and robots."""

from dataclasses import dataclass
from enum import StrEnum

from chalicelib.domain.errors import NameInvalid, RobotInvalid
from chalicelib.domain.names import MAXIMUM_LENGTH, parse_account, parse_robot

# What our random secrets begin with, so that a scanner of leaked secrets and the sign-in door know them.
ROBOT_TOKEN_PREFIX = "cbr_"  # noqa: S105 - a prefix, no secret
APP_TOKEN_PREFIX, OAUTH_TOKEN_PREFIX, SESSION_PREFIX = "cba_", "cbo_", "cbs_"
# The names that clients of the registry sign in with beside such a token (Quay's).
APP_TOKEN_USER, OAUTH_TOKEN_USER = "$app", "$oauthtoken"


class AccountKind(StrEnum):
    """What an account is."""

    USER = "user"
    ROBOT = "robot"
    ORGANIZATION = "organization"


@dataclass(frozen=True, slots=True)
class Account:
    """Someone who can sign in."""

    id: str
    name: str
    kind: AccountKind
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
        if len(text) > MAXIMUM_LENGTH:
            raise NameInvalid(text, f"it has {len(text)} characters, at most {MAXIMUM_LENGTH} are allowed")
        return cls(parse_account(namespace), parse_robot(robot))

    @classmethod
    def within(cls, namespace: str, robot: str) -> "RobotName":
        """A robot's name by its short one, in a namespace that is taken as it is. Raises RobotInvalid."""
        name = cls(namespace, robot)
        if not 2 <= len(robot) <= MAXIMUM_LENGTH or len(str(name)) > MAXIMUM_LENGTH:
            raise RobotInvalid(robot, f"be between 2 and {MAXIMUM_LENGTH} characters in length, its owner's included")
        try:
            parse_robot(robot)
        except NameInvalid:
            raise RobotInvalid(robot, "match expression ^([a-z0-9]+(?:[._-][a-z0-9]+)*)$") from None
        return name

    def __str__(self) -> str:
        return f"{self.namespace}+{self.robot}"

"""Users and robots."""

from dataclasses import dataclass
from enum import StrEnum

from chalicelib.domain.errors import NameInvalid, RobotInvalid
from chalicelib.domain.names import MAXIMUM_LENGTH, parse_account, parse_robot

# Prefixes of our random secrets, by which secret scanners and the sign-in recognise them.
ROBOT_TOKEN_PREFIX = "cbr_"  # noqa: S105 - a prefix, no secret
APP_TOKEN_PREFIX, OAUTH_TOKEN_PREFIX, SESSION_PREFIX, CLIENT_KEY_PREFIX = "cba_", "cbo_", "cbs_", "cbk_"
# The user names that a client signs in with when its password is such a token (Quay's).
APP_TOKEN_USER, OAUTH_TOKEN_USER = "$app", "$oauthtoken"


class AccountKind(StrEnum):
    """The kind of an account."""

    USER = "user"
    ROBOT = "robot"
    ORGANIZATION = "organization"


class AccountRole(StrEnum):
    """What a user may do beyond what is theirs. A read-only superuser sees all and changes nothing (Quay's name)."""

    USER = "user"
    SUPERUSER = "superuser"
    READ_ONLY_SUPERUSER = "global_readonly_superuser"


@dataclass(frozen=True, slots=True)
class Account:
    """An account that can sign in. A new password raises `epoch`, which ends all tokens of before."""

    id: str
    name: str
    kind: AccountKind
    enabled: bool = True
    epoch: int = 0
    superuser: bool = False


@dataclass(frozen=True, slots=True)
class RobotName:
    """A robot's full name, `namespace+robot`."""

    namespace: str
    robot: str

    @classmethod
    def parse(cls, text: str) -> "RobotName":
        """Parses a robot's full name. Raises NameInvalid."""
        namespace, _, robot = text.partition("+")
        if len(text) > MAXIMUM_LENGTH:
            raise NameInvalid(text, f"it has {len(text)} characters, at most {MAXIMUM_LENGTH} are allowed")
        return cls(parse_account(namespace), parse_robot(robot))

    @classmethod
    def within(cls, namespace: str, robot: str) -> "RobotName":
        """Returns the name of a robot in a namespace, which is not checked. Raises RobotInvalid for the short name."""
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

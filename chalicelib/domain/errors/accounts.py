"""Errors about accounts, rights and requests to the API."""

from collections.abc import Sequence

from chalicelib.domain.errors.kinds import (
    Conflict,
    Denied,
    Invalid,
    NotFound,
    RegistryError,
    Unauthenticated,
    Unsupported,
)


class FieldInvalid(Invalid):
    """A field of the request is invalid."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}" if field else why)
        self.field = field


class DataInvalid(FieldInvalid):
    """What is stored does not take the value: Quay's data model refuses it. Its clients match some of the messages."""


class ParameterInvalid(FieldInvalid):
    """A parameter of the query is invalid. `why` does not name it."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(field, why)
        self._why = why

    @property
    def why(self) -> str:
        """What the parameter must be."""
        return self._why


class EmailInvalid(FieldInvalid):
    """The e-mail address is invalid. Quay's clients match the message."""

    def __init__(self, field: str) -> None:
        super().__init__("", "Invalid email address")
        self.field = field


class SignUpClosed(Invalid):
    """Nobody signs up by themselves at this registry."""

    def __init__(self) -> None:
        super().__init__("Nobody signs up here by themselves: ask a superuser of this registry for an account")


class BodyUnreadable(Invalid):
    """The body is not JSON, or its `Content-Type` is not JSON's. `status` is HTTP's: 400 or 415."""

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self._status = status

    @property
    def status(self) -> int:
        """400 for content that cannot be parsed, 415 for another media type."""
        return self._status


class RepositoryNameInvalid(FieldInvalid):
    """The repository's name is invalid. Quay's clients match the message."""

    def __init__(self, name: str) -> None:
        super().__init__("", "Invalid repository name")
        self.field, self.name = "repository", name[:300]


class TeamInvalid(Invalid):
    """The team's name is invalid."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Invalid team name {name[:80]}: 2 to 255 lower-case letters and digits, joined by '.', '_', '-'"
        )
        self.name = name[:80]


class RobotInvalid(Invalid):
    """The robot's short name is invalid. The message is Quay's."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"The name for the robot '{name[:80]}' is invalid: Namespace must {why}")
        self.name = name[:80]


class RobotUnknown(Invalid):
    """The robot does not exist. Quay's clients match the message and the status."""

    def __init__(self, name: str) -> None:
        super().__init__("Could not find robot with specified username")
        self.name = name[:300]


class RobotInUse(Conflict):
    """The robot cannot be deleted while it mirrors into a repository. The message is Quay's."""

    def __init__(self, name: str) -> None:
        super().__init__("Robot is being used by a mirror")
        self.name = name


class NotGiven(Invalid):
    """The permission does not exist. Quay's clients match the message and the status."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind} does not have permission for repo.")
        self.name = name[:300]


class AccountUnknown(NotFound):
    """The user or robot does not exist."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no account {name[:80]}")
        self.name = name[:80]


class ResourceUnknown(NotFound):
    """The resource of a kind (an organization, a team, a token …) does not exist."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"no {kind} {name[:80]}")
        self.kind, self.name = kind, name[:300]


class WrongCredentials(Unauthenticated):
    """The name and password, or the token, are wrong. The message is the same for every reason."""

    def __init__(self, message: str = "Invalid Username or Password") -> None:
        super().__init__(message)


class FreshLoginRequired(Unauthenticated):
    """The session must give its password again before a dangerous operation."""

    def __init__(self) -> None:
        super().__init__("The action requires a fresh login to succeed.")


class QuotaExceeded(Denied):
    """The push would exceed the quota of its namespace."""

    def __init__(self, namespace: str, limit_bytes: int) -> None:
        RegistryError.__init__(
            self, f"Quota has been exceeded on namespace {namespace}: it may have {limit_bytes} bytes"
        )
        self.namespace, self.limit_bytes = namespace, limit_bytes


class NameTaken(Conflict):
    """An account of that name exists, or a deleted one is not removed completely yet."""

    def __init__(self, name: str, why: str = "") -> None:
        super().__init__(why or f"{name} is taken")
        self.name = name


class RepositoryTaken(Conflict):
    """A repository of that name exists. Quay's clients match the message."""

    def __init__(self, name: str) -> None:
        super().__init__("Repository already exists")
        self.name = name


class RobotTaken(Conflict):
    """A robot of that name exists. Quay's clients match the message."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Existing robot with name: {name}")
        self.name = name


class AlreadyThere(Conflict):
    """The resource to add exists already, or there are too many."""

    def __init__(self, what: str) -> None:
        super().__init__(what)


class AlreadyMember(AlreadyThere):
    """The user or robot is in the team already. Quay's clients match the message."""

    def __init__(self, member: str, team: str) -> None:
        super().__init__(f"User {member} is already a member of team {team}")


class LastOwner(Conflict):
    """The change would leave an organization without an administrator."""

    def __init__(self, why: str) -> None:
        super().__init__(why)


class SoleOwner(Conflict):
    """The user cannot be deleted, since nobody else administers some organizations."""

    def __init__(self, organizations: Sequence[str]) -> None:
        names, more = ", ".join(name[:40] for name in organizations[:5]), len(organizations) - 5
        others = f" and {more} more" if more > 0 else ""
        super().__init__(f"nobody else administers {names}{others}: let somebody else own what shall stay")
        self.organizations = list(organizations)


class SuperuserKept(Conflict):
    """Other users cannot change a superuser's account, and nobody can delete it."""

    def __init__(self, action: str) -> None:
        super().__init__(f"Cannot {action} a superuser")


class AlreadyInitialized(Conflict):
    """The first user exists already. The message is Quay's."""

    def __init__(self) -> None:
        super().__init__("Cannot initialize user in a non-empty database")


class MailOff(Unsupported):
    """The operation needs mail, which the registry does not send."""

    def __init__(self) -> None:
        super().__init__("no mail is sent from here: a superuser can give you another password")

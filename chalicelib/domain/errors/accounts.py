"""Refusals about accounts, rights and what the API is asked."""

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
    """A field of a request that cannot be accepted."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}" if field else why)
        self.field = field


class BodyUnreadable(Invalid):
    """A body that is no JSON, or does not say that it is. `status` is HTTP's: 400 or 415."""

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self._status = status

    @property
    def status(self) -> int:
        """400 for what cannot be read, 415 for what is no JSON."""
        return self._status


class RepositoryNameInvalid(FieldInvalid):
    """A name that no repository can have: Quay's clients match its words."""

    def __init__(self, name: str) -> None:
        super().__init__("", "Invalid repository name")
        self.field, self.name = "repository", name[:300]


class TeamInvalid(Invalid):
    """A team's name outside the grammar."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Invalid team name {name[:80]}: 2 to 255 lower-case letters and digits, joined by '.', '_', '-'"
        )
        self.name = name[:80]


class RobotInvalid(Invalid):
    """A robot's short name outside the grammar: Quay's clients see its words."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"The name for the robot '{name[:80]}' is invalid: Namespace must {why}")
        self.name = name[:80]


class RobotUnknown(Invalid):
    """No such robot: Quay's clients match its words, and its status."""

    def __init__(self, name: str) -> None:
        super().__init__("Could not find robot with specified username")
        self.name = name[:300]


class NotGiven(Invalid):
    """A permission that nobody gave: Quay's clients match its words, and its status."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind} does not have permission for repo.")
        self.name = name[:300]


class AccountUnknown(NotFound):
    """No such user or robot."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no account {name[:80]}")
        self.name = name[:80]


class ResourceUnknown(NotFound):
    """No such thing of a kind: an organization, a team, a token."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"no {kind} {name[:80]}")
        self.kind, self.name = kind, name[:300]


class WrongCredentials(Unauthenticated):
    """A name and password, or a token, that nobody has; the same for every reason."""

    def __init__(self, message: str = "Invalid Username or Password") -> None:
        super().__init__(message)


class FreshLoginRequired(Unauthenticated):
    """A session that must show its password again before something dangerous."""

    def __init__(self) -> None:
        super().__init__("The action requires a fresh login to succeed.")


class QuotaExceeded(Denied):
    """A push that would take more bytes than its namespace may have."""

    def __init__(self, namespace: str, limit_bytes: int) -> None:
        RegistryError.__init__(
            self, f"Quota has been exceeded on namespace {namespace}: it may have {limit_bytes} bytes"
        )
        self.namespace, self.limit_bytes = namespace, limit_bytes


class NameTaken(Conflict):
    """An account of that name exists, or one did and has not been taken away whole."""

    def __init__(self, name: str, why: str = "") -> None:
        super().__init__(why or f"{name} is taken")
        self.name = name


class RepositoryTaken(Conflict):
    """A repository of that name exists: Quay's clients match its words."""

    def __init__(self, name: str) -> None:
        super().__init__("Repository already exists")
        self.name = name


class RobotTaken(Conflict):
    """A robot of that name exists: Quay's clients match its words."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Existing robot with name: {name}")
        self.name = name


class AlreadyThere(Conflict):
    """What should be added is there."""

    def __init__(self, what: str) -> None:
        super().__init__(what)


class LastOwner(Conflict):
    """A change that would leave an organization without anybody to administer it."""

    def __init__(self, why: str) -> None:
        super().__init__(why)


class SoleOwner(Conflict):
    """A user who cannot leave, as nobody else administers some organizations."""

    def __init__(self, organizations: Sequence[str]) -> None:
        told, more = ", ".join(name[:40] for name in organizations[:5]), len(organizations) - 5
        others = f" and {more} more" if more > 0 else ""
        super().__init__(f"nobody else administers {told}{others}: let somebody else own what shall stay")
        self.organizations = list(organizations)


class SuperuserKept(Conflict):
    """A change of a superuser's account by somebody else, or its end."""

    def __init__(self, action: str) -> None:
        super().__init__(f"Cannot {action} a superuser")


class AlreadyInitialized(Conflict):
    """A first user where there is one: Quay's clients see its words."""

    def __init__(self) -> None:
        super().__init__("Cannot initialize user in a non-empty database")


class MailOff(Unsupported):
    """What needs a mail to be sent, which the registry does not do."""

    def __init__(self) -> None:
        super().__init__("no mail is sent from here: a superuser can give you another password")

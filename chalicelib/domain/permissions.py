"""Who asks, what they may, and the words of a token's scope."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.errors import ScopeInvalid

# https://distribution.github.io/distribution/spec/auth/scope/
SCOPE = re.compile(
    r"(?P<type>[a-z0-9]+)(?:\((?P<class>[a-z0-9]+)\))?:(?P<name>[^\s]+):(?P<actions>[a-z*]+(?:,[a-z*]+)*)?"
)


class Role(StrEnum):
    """What is granted on a repository; each includes those before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    @property
    def actions(self) -> frozenset[str]:
        """The registry's actions that this role permits."""
        return ROLE_ACTIONS[self]

    @property
    def rank(self) -> int:
        """Where it stands among them."""
        return list(Role).index(self)


PULL, PUSH, DELETE, ANY = "pull", "push", "delete", "*"
ROLE_ACTIONS = {
    Role.READ: frozenset({PULL}),
    # Whoever may push may delete, as in Quay.
    Role.WRITE: frozenset({PULL, PUSH, DELETE}),
    Role.ADMIN: frozenset({PULL, PUSH, DELETE, ANY}),
}


class HolderKind(StrEnum):
    """Who has a role on a repository."""

    USER = "user"
    ROBOT = "robot"
    TEAM = "team"


class Source(StrEnum):
    """The row that gave a right, so that a write can look at it again."""

    PUBLIC = "public"
    OWNER = "owner"
    PERMISSION = "permission"
    TEAM = "team"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token says of one repository. `repository_id` is None until the repository is made.

    `team_id` is the team that gave the right, where one did.
    """

    name: str
    actions: frozenset[str]
    repository_id: str | None = None
    namespace_id: str | None = None
    source: Source | None = None
    team_id: str | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is asking, now. `account_id` is None for the anonymous; `grants` are what their registry token carries.

    `scopes` are those of an OAuth token, None where nothing narrows what the account may do; `token` is the uuid of the
    random token or session that was shown, `is_session` whether it was a session; `fresh_until`, in seconds since the
    epoch, is when a session must show its password again.
    """

    account_id: str | None
    name: str
    kind: str = AccountKind.USER
    epoch: int = 0
    grants: Mapping[str, Grant] = field(default_factory=dict)
    address: str = ""
    # What their client calls itself.
    agent: str = ""
    has_token: bool = False
    # When that token was issued to them, in seconds since the epoch.
    issued_at: int = 0
    # When what they signed in with ends, in seconds since the epoch; 0 for never.
    until: int = 0
    scopes: frozenset[str] | None = None
    is_superuser: bool = False
    token: str = ""
    is_session: bool = False
    fresh_until: int = 0
    # What the usage log tells of the token: its application.
    application: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody signed in."""
        return self.account_id is None


ANONYMOUS = Actor(None, "", "anonymous")


@dataclass(frozen=True, slots=True)
class Scope:
    """One thing a token is asked for."""

    type: str
    name: str
    actions: tuple[str, ...]

    @classmethod
    def parse_all(cls, texts: Iterable[str]) -> "list[Scope]":
        """Reads the `scope` parameters of a token request; each may hold several, separated by spaces.

        Raises ScopeInvalid where one cannot be read.
        """
        return [cls._parse(word) for text in texts for word in text.split()]

    @classmethod
    def merge(cls, scopes: "Iterable[Scope]") -> "list[Scope]":
        """The same scopes, each name once with all actions that were asked for it."""
        actions: dict[tuple[str, str], dict[str, None]] = {}
        for scope in scopes:
            actions.setdefault((scope.type, scope.name), {}).update(dict.fromkeys(scope.actions))
        return [cls(kind, name, tuple(merged)) for (kind, name), merged in actions.items()]

    @classmethod
    def _parse(cls, text: str) -> "Scope":
        match = SCOPE.fullmatch(text)
        if not match:
            raise ScopeInvalid(f"invalid scope {text[:80]!r}: say repository:NAMESPACE/NAME:pull,push")
        actions = tuple(dict.fromkeys((match["actions"] or "").split(","))) if match["actions"] else ()
        return cls(match["type"], match["name"], actions)

"""Actors, their roles and grants, and the scopes of a registry token."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.credentials import Credential, UploadRight
from chalicelib.domain.errors import ScopeInvalid

# https://distribution.github.io/distribution/spec/auth/scope/
SCOPE = re.compile(
    r"(?P<type>[a-z0-9]+)(?:\((?P<class>[a-z0-9]+)\))?:(?P<name>[^\s]+):(?P<actions>[a-z*]+(?:,[a-z*]+)*)?"
)


class Role(StrEnum):
    """A role on a repository; each includes those before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    @property
    def actions(self) -> frozenset[str]:
        """The actions under `/v2` that this role permits."""
        return ROLE_ACTIONS[self]

    @property
    def rank(self) -> int:
        """The place of this role in the order of roles, from 0."""
        return list(Role).index(self)


PULL, PUSH, DELETE, ANY = "pull", "push", "delete", "*"
# The action of an upload's long token. No role has it, so no client gets it by asking for it.
CLOSE_UPLOAD = "close-upload"
ROLE_ACTIONS = {
    Role.READ: frozenset({PULL}),
    # Whoever may push may delete, as in Quay.
    Role.WRITE: frozenset({PULL, PUSH, DELETE}),
    Role.ADMIN: frozenset({PULL, PUSH, DELETE, ANY}),
}


@dataclass(frozen=True, slots=True)
class Need:
    """What an operation under `/v2` needs of a token: `action` is checked, and a challenge asks for all of `asked`."""

    action: str
    asked: tuple[str, ...]


TO_PULL = Need(PULL, (PULL,))
TO_PUSH = Need(PUSH, (PULL, PUSH))
TO_CLOSE_UPLOAD = Need(CLOSE_UPLOAD, (PULL, PUSH))
TO_DELETE = Need(DELETE, (PULL, DELETE))
# A push begins with HEAD of a blob, and oras (Python) never asks for a token with more rights than its first.
TO_FIND_BLOB = Need(PULL, (PULL, PUSH))
TO_LIST_REPOSITORIES = Need(ANY, (ANY,))


class HolderKind(StrEnum):
    """The kind of the account or team that has a role on a repository."""

    USER = "user"
    ROBOT = "robot"
    TEAM = "team"


class Source(StrEnum):
    """The kind of row that a right comes from, so that a write can check that row again."""

    PUBLIC = "public"
    OWNER = "owner"
    PERMISSION = "permission"
    TEAM = "team"


def permits(actions: frozenset[str], action: str) -> bool:
    """Whether granted actions include an action. A right to push includes the right to delete."""
    return action in actions or ANY in actions or (action == DELETE and PUSH in actions)


@dataclass(frozen=True, slots=True)
class Grant:
    """A token's right on one repository. `repository_id` is None until the repository exists.

    `team_id` is the team that the right comes from, if any; `state` is the state of the repository if it takes from the
    role what the role permits otherwise; `is_limited` tells whether the namespace had a quota that rejects when the
    token was issued.
    """

    name: str
    actions: frozenset[str]
    repository_id: str | None = None
    namespace_id: str | None = None
    source: Source | None = None
    team_id: str | None = None
    state: str | None = None
    is_limited: bool = False


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a request. `account_id` is None for anonymous requests; `grants` are those of the registry token.

    `scopes` are those of an OAuth token, None if nothing limits the account's rights; `token` is the uuid of the random
    token or session that authenticated the request, `is_session` whether it was a session; `fresh_until`, in seconds
    since the epoch, is when a session must give its password again.
    """

    account_id: str | None
    name: str
    kind: str = AccountKind.USER
    epoch: int = 0
    grants: Mapping[str, Grant] = field(default_factory=dict)
    address: str = ""
    # The client's `User-Agent`.
    agent: str = ""
    has_token: bool = False
    # When that token was issued, in seconds since the epoch.
    issued_at: int = 0
    # When the token or session ends, in seconds since the epoch; 0 for never.
    until: int = 0
    scopes: frozenset[str] | None = None
    # Whether the actor may do what superusers do: of a read-only superuser, only in a request that changes nothing.
    is_superuser: bool = False
    is_read_only_superuser: bool = False
    token: str = ""
    is_session: bool = False
    fresh_until: int = 0
    # What the registry token was issued for, None for a password; and the only upload that it may end, if any.
    credential: Credential | None = None
    upload: UploadRight | None = None
    # The application of the token, as the usage log records it.
    application: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody signed in."""
        return self.account_id is None

    @property
    def may_grant_superusers_scope(self) -> bool:
        """Whether the actor's tokens may have the scope of superusers."""
        return self.is_superuser or self.is_read_only_superuser

    def reading(self) -> "Actor":
        """Returns the actor of a request that changes nothing, in which a read-only superuser is a superuser."""
        return replace(self, is_superuser=True) if self.is_read_only_superuser else self


ANONYMOUS = Actor(None, "", "anonymous")


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope of a request for a registry token."""

    type: str
    name: str
    actions: tuple[str, ...]

    @classmethod
    def parse_all(cls, texts: Iterable[str]) -> "list[Scope]":
        """Parses the `scope` parameters of a token request; each may hold several scopes, separated by spaces.

        Raises ScopeInvalid if one is malformed.
        """
        return [cls._parse(word) for text in texts for word in text.split()]

    @classmethod
    def merge(cls, scopes: "Iterable[Scope]") -> "list[Scope]":
        """Returns the scopes with each name once, with all actions that are requested for it."""
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

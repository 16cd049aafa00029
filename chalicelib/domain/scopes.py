"""OAuth scopes: Quay's eight, and what each of them lets a token do.

A token has the smaller of its user's rights and its scopes'. A session has no scopes and all rights of its user.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.domain.errors import Denied, ScopeInvalid
from chalicelib.domain.permissions import Actor, Role

REPO_READ, REPO_WRITE, REPO_ADMIN, REPO_CREATE = "repo:read", "repo:write", "repo:admin", "repo:create"
USER_READ, USER_ADMIN, ORG_ADMIN, SUPER_USER = "user:read", "user:admin", "org:admin", "super:user"


@dataclass(frozen=True, slots=True)
class OAuthScope:
    """A scope with the texts of the consent page. `includes` are the other scopes that it implies."""

    name: str
    title: str
    description: str
    dangerous: bool = False
    includes: tuple[str, ...] = ()


OFFERED = {
    scope.name: scope
    for scope in (
        OAuthScope(
            REPO_READ,
            "View all visible repositories",
            "This application will be able to view and pull all repositories visible to the granting user or robot.",
        ),
        OAuthScope(
            REPO_WRITE,
            "Read/Write to any accessible repositories",
            "This application will be able to view, push and pull to all repositories to which the granting user or "
            "robot account has write access.",
            includes=(REPO_READ,),
        ),
        OAuthScope(
            REPO_ADMIN,
            "Administer Repositories",
            "This application will have administrator access to all repositories to which the granting user or robot "
            "account has access.",
            includes=(REPO_WRITE, REPO_READ),
        ),
        OAuthScope(
            REPO_CREATE,
            "Create Repositories",
            "This application will be able to create repositories in any namespaces that the granting user or robot "
            "account is allowed to create repositories.",
        ),
        OAuthScope(
            USER_READ,
            "Read User Information",
            "This application will be able to read user information such as username and email address.",
        ),
        OAuthScope(
            USER_ADMIN,
            "Administer User",
            "This application will be able to administer your account including creating robots and granting them "
            "permissions to your repositories. You should have absolute trust in the requesting application before "
            "granting this permission.",
            dangerous=True,
            includes=(USER_READ,),
        ),
        OAuthScope(
            ORG_ADMIN,
            "Administer Organization",
            "This application will be able to administer your organizations including creating robots, creating teams, "
            "adjusting team membership, and changing billing settings. You should have absolute trust in the "
            "requesting application before granting this permission.",
            dangerous=True,
        ),
        OAuthScope(
            SUPER_USER,
            "Super User Access",
            "This application will be able to administer your installation including managing users, managing "
            "organizations and other features found in the superuser panel. You should have absolute trust in the "
            "requesting application before granting this permission.",
            dangerous=True,
        ),
    )
}


def parse_scopes(text: str) -> frozenset[str]:
    """Parses scopes, separated by spaces or commas. Raises ScopeInvalid if one is unknown or there is none."""
    words = frozenset(word for word in re.split(r"[ ,]+", text.strip()) if word)
    unknown = sorted(words - OFFERED.keys())
    if unknown or not words:
        raise ScopeInvalid(f"{', '.join(unknown) or 'nothing'} is no scope: say some of {', '.join(OFFERED)}")
    return words


def stored_scopes(text: str | None) -> frozenset[str]:
    """Returns the scopes of a token that exists. Without any it grants nothing, and neither does an unknown word."""
    return frozenset(word for word in (text or "").split() if word in OFFERED)


def grantable(scopes: frozenset[str], *, is_superuser: bool) -> frozenset[str]:
    """Returns the scopes that a user can give: super:user only as a superuser. Raises Denied if none is left."""
    given = scopes if is_superuser else scopes - {SUPER_USER}
    if not given:
        raise Denied(SUPER_USER, "grant")
    return given


def implied(scopes: Iterable[str]) -> frozenset[str]:
    """Returns the scopes and all that they include."""
    return frozenset(name for scope in scopes for name in (scope, *OFFERED[scope].includes))


def allows(scopes: frozenset[str] | None, scope: str) -> bool:
    """Whether scopes include the one that an operation requires; None, as for a session, includes all."""
    return scopes is None or scope in implied(scopes)


def acts_as_superuser(actor: Actor) -> bool:
    """Whether an actor may do what superusers do in this request, and the token has the scope for it."""
    return actor.is_superuser and allows(actor.scopes, SUPER_USER)


def audits(actor: Actor) -> bool:
    """Whether an actor reads as a read-only superuser, to whom no secrets are shown."""
    return actor.is_read_only_superuser and acts_as_superuser(actor)


def capped(role: Role | None, scopes: frozenset[str] | None) -> Role | None:
    """Returns the smaller of a role on a repository and the role that the scopes allow."""
    if role is None or scopes is None:
        return role
    fits = [one for one in Role if allows(scopes, f"repo:{one}") and one.rank <= role.rank]
    return max(fits, key=lambda one: one.rank, default=None)

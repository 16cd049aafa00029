"""Roles of users, robots and teams on a repository."""

from typing import Any

from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, HolderKind, Role
from chalicelib.domain.scopes import REPO_ADMIN
from chalicelib.edge.api.framework import paths
from chalicelib.edge.api.framework.operations import FLAG, TEXT, Operations, a_list, an_object, one_of
from chalicelib.edge.api.framework.shapes import AVATAR, avatar
from chalicelib.services.accounts.permissions import Permission
from chalicelib.wiring import services

operations = Operations(__name__, "permission")
USERS = paths.REPOSITORY + "/permissions/user"
TEAMS = paths.REPOSITORY + "/permissions/team"
USER, TEAM = HolderKind.USER, HolderKind.TEAM
ONE_USER, ONE_TEAM = USERS + "/{username}", TEAMS + "/{teamname}"

ROLE = one_of(*Role)
OF_TEAM = an_object({"role": ROLE, "name": TEXT, "avatar": AVATAR})
OF_USER = an_object({**OF_TEAM["properties"], "is_robot": FLAG}, is_org_member=FLAG)
CHANGE = an_object({"role": {**ROLE, "description": "Role to use for the holder"}})
TRANSITIVE = an_object({"permissions": a_list(an_object({"role": ROLE}))})


def _by_name(schema: dict[str, Any]) -> dict[str, Any]:
    return an_object({"permissions": {"type": "object", "additionalProperties": schema}})


@operations.get(TEAMS, "listRepoTeamPermissions", scope=REPO_ADMIN, answers={200: _by_name(OF_TEAM)}, slash=True)
def list_teams(actor: Actor, repository: str) -> dict[str, Any]:
    """All teams that have a role."""
    return _listed(actor, repository, TEAM)


@operations.get(USERS, "listRepoUserPermissions", scope=REPO_ADMIN, answers={200: _by_name(OF_USER)}, slash=True)
def list_users(actor: Actor, repository: str) -> dict[str, Any]:
    """All users and robots that have a role of their own."""
    return _listed(actor, repository, USER)


@operations.get(ONE_USER + "/transitive", "getUserTransitivePermission", scope=REPO_ADMIN, answers={200: TRANSITIVE})
def get_transitive(actor: Actor, repository: str, username: str) -> dict[str, Any]:
    """All roles that a user has, of their own and by teams."""
    found = services().accounts.permissions.transitive(actor, RepositoryName.parse(repository), username)
    return {"permissions": [{"role": role} for role in found]}


@operations.get(ONE_USER, "getUserPermissions", scope=REPO_ADMIN, answers={200: OF_USER})
def get_user(actor: Actor, repository: str, username: str) -> dict[str, Any]:
    """A user's role of their own."""
    return shape(services().accounts.permissions.get(actor, RepositoryName.parse(repository), USER, username))


@operations.put(ONE_USER, "changeUserPermissions", scope=REPO_ADMIN, body=CHANGE, answers={200: OF_USER})
def put_user(actor: Actor, repository: str, username: str, body: dict[str, Any]) -> dict[str, Any]:
    """Gives a user or robot a role."""
    return _put(actor, repository, USER, username, body)


@operations.delete(ONE_USER, "deleteUserPermissions", scope=REPO_ADMIN, answers={204: None})
def delete_user(actor: Actor, repository: str, username: str) -> None:
    """Takes a user's role of their own back."""
    services().accounts.permissions.remove(actor, RepositoryName.parse(repository), USER, username)


@operations.get(ONE_TEAM, "getTeamPermissions", scope=REPO_ADMIN, answers={200: OF_TEAM})
def get_team(actor: Actor, repository: str, teamname: str) -> dict[str, Any]:
    """A team's role."""
    return shape(services().accounts.permissions.get(actor, RepositoryName.parse(repository), TEAM, teamname))


@operations.put(ONE_TEAM, "changeTeamPermissions", scope=REPO_ADMIN, body=CHANGE, answers={200: OF_TEAM})
def put_team(actor: Actor, repository: str, teamname: str, body: dict[str, Any]) -> dict[str, Any]:
    """Gives a team a role."""
    return _put(actor, repository, TEAM, teamname, body)


@operations.delete(ONE_TEAM, "deleteTeamPermissions", scope=REPO_ADMIN, answers={204: None})
def delete_team(actor: Actor, repository: str, teamname: str) -> None:
    """Takes a team's role back."""
    services().accounts.permissions.remove(actor, RepositoryName.parse(repository), TEAM, teamname)


def _listed(actor: Actor, repository: str, kind: HolderKind) -> dict[str, Any]:
    found = services().accounts.permissions.of_repository(actor, RepositoryName.parse(repository), kind)
    return {"permissions": {permission.name: shape(permission) for permission in found}}


def _put(actor: Actor, repository: str, kind: HolderKind, holder: str, body: dict[str, Any]) -> dict[str, Any]:
    name, role = RepositoryName.parse(repository), Role(body["role"])
    return shape(services().accounts.permissions.put(actor, name, kind, holder, role))


def shape(permission: Permission) -> dict[str, Any]:
    """A role with who has it."""
    shown: dict[str, Any] = {
        "role": permission.role,
        "name": permission.name,
        "avatar": avatar(permission.name, permission.kind),
    }
    if permission.kind != TEAM:
        shown["is_robot"] = permission.is_robot
    if permission.is_member is not None:
        shown["is_org_member"] = permission.is_member
    return shown

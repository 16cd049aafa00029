"""Robots of users and of organizations, and their tokens."""

from typing import Any

from chalicelib.domain.accounts import RobotName
from chalicelib.domain.errors import RobotInvalid, RobotUnknown
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import ORG_ADMIN, USER_ADMIN
from chalicelib.edge import request
from chalicelib.edge.api.framework import paths
from chalicelib.edge.api.framework.operations import (
    FLAG,
    NUMBER,
    TEXT,
    Operations,
    Parameter,
    a_list,
    an_object,
    or_null,
    text,
)
from chalicelib.edge.api.framework.shapes import AVATAR, avatar, date
from chalicelib.edge.response import Reply, as_json
from chalicelib.services.accounts.robots import LONGEST_OVERLAP_S, RobotRepositoryRole, RobotView
from chalicelib.wiring import services

operations = Operations(__name__, "robot")
MINE = "/api/v1/user/robots"
THEIRS = paths.ORGANIZATION + "/robots"
ONE = "/{robot_shortname}"

PLAIN = {
    "name": text("The full name, NAMESPACE+ROBOT"),
    "created": or_null(TEXT),
    "last_accessed": or_null(TEXT),
    "description": TEXT,
}
METADATA = or_null({"type": "object", "description": "Metadata that programs store with the robot"})
ROBOT = an_object({**PLAIN, "token": TEXT, "unstructured_metadata": METADATA})
RENEWED = an_object({**PLAIN, "token": TEXT})
LISTED = an_object(
    PLAIN, token=TEXT, teams=a_list(an_object({"name": TEXT, "avatar": AVATAR})), repositories=a_list(TEXT)
)
NEW = an_object(
    description=text("Optional text description for the robot", maxLength=255),
    unstructured_metadata={"type": "object", "description": "Optional unstructured metadata for the robot"},
)
RENEW = an_object(
    overlap_s={
        **NUMBER,
        "minimum": 0,
        "maximum": LONGEST_OVERLAP_S,
        "description": "For how many more seconds the old token stays valid",
    }
)
PERMISSION = an_object({"repository": an_object({"name": TEXT, "is_public": FLAG}), "role": TEXT})
LIST: dict[str, Any] = {
    "parameters": (
        Parameter("permissions", "boolean", "Whether to include teams and repositories, for administrators"),
        Parameter("token", "boolean", "Whether to include tokens, for administrators: true by default"),
        Parameter("limit", "integer", "The largest number of robots, newest first"),
    ),
    "answers": {200: an_object({"robots": a_list(LISTED)})},
}
CREATE: dict[str, Any] = {"body": NEW, "is_body_optional": True, "answers": {201: ROBOT}}
GET: dict[str, Any] = {"answers": {200: an_object({**PLAIN, "unstructured_metadata": METADATA}, token=TEXT)}}
DELETE: dict[str, Any] = {"answers": {204: None}}
REGENERATE: dict[str, Any] = {"body": RENEW, "is_body_optional": True, "answers": {200: RENEWED}}
PERMISSIONS: dict[str, Any] = {"answers": {200: an_object({"permissions": a_list(PERMISSION)})}}


@operations.get(MINE, "getUserRobots", scope=USER_ADMIN, **LIST)
def list_mine(actor: Actor) -> dict[str, Any]:
    """Lists the user's own robots, newest first."""
    return _list(actor, actor.name)


@operations.get(THEIRS, "getOrgRobots", scope=ORG_ADMIN, **LIST)
def list_theirs(actor: Actor, orgname: str) -> dict[str, Any]:
    """Lists an organization's robots, newest first."""
    return _list(actor, orgname)


@operations.put(MINE + ONE, "createUserRobot", scope=USER_ADMIN, **CREATE)
def create_mine(actor: Actor, robot_shortname: str, body: dict[str, Any]) -> Reply:
    """Creates a robot of the user's own."""
    return _create(actor, actor.name, robot_shortname, body)


@operations.put(THEIRS + ONE, "createOrgRobot", scope=ORG_ADMIN, **CREATE)
def create_theirs(actor: Actor, orgname: str, robot_shortname: str, body: dict[str, Any]) -> Reply:
    """Creates a robot of an organization."""
    return _create(actor, orgname, robot_shortname, body)


@operations.get(MINE + ONE, "getUserRobot", scope=USER_ADMIN, **GET)
def get_mine(actor: Actor, robot_shortname: str) -> dict[str, Any]:
    """Returns one of the user's own robots, with its token."""
    return robot_json(services().accounts.robots.get(actor, robot_name(actor.name, robot_shortname)))


@operations.get(THEIRS + ONE, "getOrgRobot", scope=ORG_ADMIN, **GET)
def get_theirs(actor: Actor, orgname: str, robot_shortname: str) -> dict[str, Any]:
    """Returns a robot of an organization, with its token."""
    return robot_json(services().accounts.robots.get(actor, robot_name(orgname, robot_shortname)))


@operations.delete(MINE + ONE, "deleteUserRobot", scope=USER_ADMIN, **DELETE)
def delete_mine(actor: Actor, robot_shortname: str) -> None:
    """Deletes one of the user's own robots; its token is invalid at once."""
    services().accounts.robots.delete(actor, robot_name(actor.name, robot_shortname))


@operations.delete(THEIRS + ONE, "deleteOrgRobot", scope=ORG_ADMIN, **DELETE)
def delete_theirs(actor: Actor, orgname: str, robot_shortname: str) -> None:
    """Deletes a robot of an organization; its token is invalid at once."""
    services().accounts.robots.delete(actor, robot_name(orgname, robot_shortname))


@operations.post(MINE + ONE + "/regenerate", "regenerateUserRobotToken", scope=USER_ADMIN, **REGENERATE)
def regenerate_mine(actor: Actor, robot_shortname: str, body: dict[str, Any]) -> dict[str, Any]:
    """Gives one of the user's own robots a new token; the old one stays valid for `overlap_s` seconds."""
    return _regenerate(actor, actor.name, robot_shortname, body)


@operations.post(THEIRS + ONE + "/regenerate", "regenerateOrgRobotToken", scope=ORG_ADMIN, **REGENERATE)
def regenerate_theirs(actor: Actor, orgname: str, robot_shortname: str, body: dict[str, Any]) -> dict[str, Any]:
    """Gives a robot of an organization a new token; the old one stays valid for `overlap_s` seconds."""
    return _regenerate(actor, orgname, robot_shortname, body)


@operations.get(MINE + ONE + "/permissions", "getUserRobotPermissions", scope=USER_ADMIN, **PERMISSIONS)
def permissions_of_mine(actor: Actor, robot_shortname: str) -> dict[str, Any]:
    """Lists the roles of one of the user's own robots on repositories."""
    return _list_permissions(actor, actor.name, robot_shortname)


@operations.get(THEIRS + ONE + "/permissions", "getOrgRobotPermissions", scope=ORG_ADMIN, **PERMISSIONS)
def permissions_of_theirs(actor: Actor, orgname: str, robot_shortname: str) -> dict[str, Any]:
    """Lists the roles of an organization's robot on repositories."""
    return _list_permissions(actor, orgname, robot_shortname)


def robot_name(namespace: str, robot: str) -> RobotName:
    """Returns the name of a robot that should exist. Raises RobotUnknown for an invalid name."""
    try:
        return RobotName.within(namespace, robot)
    except RobotInvalid:
        raise RobotUnknown(robot) from None


def _list(actor: Actor, namespace: str) -> dict[str, Any]:
    robots = services().accounts.robots.of_namespace(
        actor,
        namespace,
        with_tokens=request.flag("token", True),
        with_rights=request.flag("permissions"),
        limit=request.number("limit", 0),
    )
    return {"robots": [listed_robot_json(view) for view in robots]}


def _create(actor: Actor, namespace: str, robot: str, body: dict[str, Any]) -> Reply:
    name = RobotName.within(namespace, robot)
    robot_view = services().accounts.robots.create(
        actor, name, body.get("description", ""), body.get("unstructured_metadata")
    )
    return as_json(robot_json(robot_view), 201)


def _regenerate(actor: Actor, namespace: str, robot: str, body: dict[str, Any]) -> dict[str, Any]:
    overlap_s = int(body.get("overlap_s", 0))
    return basic_robot_json(services().accounts.robots.regenerate(actor, robot_name(namespace, robot), overlap_s))


def _list_permissions(actor: Actor, namespace: str, robot: str) -> dict[str, Any]:
    roles = services().accounts.robots.permissions(actor, robot_name(namespace, robot))
    return {"permissions": [permission_json(role) for role in roles]}


def basic_robot_json(view: RobotView) -> dict[str, Any]:
    """Returns a robot, with its token if the caller may see it."""
    document: dict[str, Any] = {
        "name": str(view.name),
        "created": date(view.row.created_at),
        "last_accessed": date(view.last_used_at),
        "description": view.row.description,
    }
    return document | ({} if view.token is None else {"token": view.token})


def robot_json(view: RobotView) -> dict[str, Any]:
    """Returns a robot with its metadata."""
    return basic_robot_json(view) | {"unstructured_metadata": view.metadata}


def listed_robot_json(view: RobotView) -> dict[str, Any]:
    """Returns a robot of a list, with its teams and repositories if the caller may see them."""
    document = basic_robot_json(view)
    if view.teams is not None:
        document["teams"] = [{"name": name, "avatar": avatar(name, "team")} for name in view.teams]
    if view.repositories is not None:
        document["repositories"] = list(view.repositories)
    return document


def permission_json(role: RobotRepositoryRole) -> dict[str, Any]:
    """Returns a role on a repository."""
    name = role.repository.partition("/")[2]
    return {"repository": {"name": name, "is_public": role.is_public}, "role": role.role}

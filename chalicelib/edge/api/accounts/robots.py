"""Robots of oneself and of organizations: made, read with their tokens, given others, removed."""

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
    "name": text("The whole name, NAMESPACE+ROBOT"),
    "created": or_null(TEXT),
    "last_accessed": or_null(TEXT),
    "description": TEXT,
}
METADATA = or_null({"type": "object", "description": "What programs write down beside it"})
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
        "description": "For how many seconds more the token before is good, so that nobody who has it stands outside",
    }
)
PERMISSION = an_object({"repository": an_object({"name": TEXT, "is_public": FLAG}), "role": TEXT})
LIST: dict[str, Any] = {
    "parameters": (
        Parameter("permissions", "boolean", "Whether to tell teams and repositories, to those who administer"),
        Parameter("token", "boolean", "Whether to tell tokens, to those who administer: true if not said"),
        Parameter("limit", "integer", "How many at most, newest first"),
    ),
    "answers": {200: an_object({"robots": a_list(LISTED)})},
}
CREATE: dict[str, Any] = {"body": NEW, "is_body_optional": True, "answers": {201: ROBOT}}
GET: dict[str, Any] = {"answers": {200: ROBOT}}
DELETE: dict[str, Any] = {"answers": {204: None}}
REGENERATE: dict[str, Any] = {"body": RENEW, "is_body_optional": True, "answers": {200: RENEWED}}
PERMISSIONS: dict[str, Any] = {"answers": {200: an_object({"permissions": a_list(PERMISSION)})}}


@operations.get(MINE, "getUserRobots", scope=USER_ADMIN, **LIST)
def list_mine(actor: Actor) -> dict[str, Any]:
    """One's own robots, newest first."""
    return _listed(actor, actor.name)


@operations.get(THEIRS, "getOrgRobots", scope=ORG_ADMIN, **LIST)
def list_theirs(actor: Actor, orgname: str) -> dict[str, Any]:
    """An organization's robots, newest first."""
    return _listed(actor, orgname)


@operations.put(MINE + ONE, "createUserRobot", scope=USER_ADMIN, **CREATE)
def create_mine(actor: Actor, robot_shortname: str, body: dict[str, Any]) -> Reply:
    """Makes a robot of one's own."""
    return _created(actor, actor.name, robot_shortname, body)


@operations.put(THEIRS + ONE, "createOrgRobot", scope=ORG_ADMIN, **CREATE)
def create_theirs(actor: Actor, orgname: str, robot_shortname: str, body: dict[str, Any]) -> Reply:
    """Makes a robot of an organization."""
    return _created(actor, orgname, robot_shortname, body)


@operations.get(MINE + ONE, "getUserRobot", scope=USER_ADMIN, **GET)
def get_mine(actor: Actor, robot_shortname: str) -> dict[str, Any]:
    """One of one's own robots, with its token."""
    return shape(services().accounts.robots.get(actor, there(actor.name, robot_shortname)))


@operations.get(THEIRS + ONE, "getOrgRobot", scope=ORG_ADMIN, **GET)
def get_theirs(actor: Actor, orgname: str, robot_shortname: str) -> dict[str, Any]:
    """A robot of an organization, with its token."""
    return shape(services().accounts.robots.get(actor, there(orgname, robot_shortname)))


@operations.delete(MINE + ONE, "deleteUserRobot", scope=USER_ADMIN, **DELETE)
def delete_mine(actor: Actor, robot_shortname: str) -> None:
    """Removes one of one's own robots; its token is dead at once."""
    services().accounts.robots.delete(actor, there(actor.name, robot_shortname))


@operations.delete(THEIRS + ONE, "deleteOrgRobot", scope=ORG_ADMIN, **DELETE)
def delete_theirs(actor: Actor, orgname: str, robot_shortname: str) -> None:
    """Removes a robot of an organization; its token is dead at once."""
    services().accounts.robots.delete(actor, there(orgname, robot_shortname))


@operations.post(MINE + ONE + "/regenerate", "regenerateUserRobotToken", scope=USER_ADMIN, **REGENERATE)
def regenerate_mine(actor: Actor, robot_shortname: str, body: dict[str, Any]) -> dict[str, Any]:
    """Gives one of one's own robots another token; the one before is good for an overlap that is chosen."""
    return _regenerated(actor, actor.name, robot_shortname, body)


@operations.post(THEIRS + ONE + "/regenerate", "regenerateOrgRobotToken", scope=ORG_ADMIN, **REGENERATE)
def regenerate_theirs(actor: Actor, orgname: str, robot_shortname: str, body: dict[str, Any]) -> dict[str, Any]:
    """Gives a robot of an organization another token; the one before is good for an overlap that is chosen."""
    return _regenerated(actor, orgname, robot_shortname, body)


@operations.get(MINE + ONE + "/permissions", "getUserRobotPermissions", scope=USER_ADMIN, **PERMISSIONS)
def permissions_of_mine(actor: Actor, robot_shortname: str) -> dict[str, Any]:
    """What one of one's own robots was given on repositories."""
    return _permissions(actor, actor.name, robot_shortname)


@operations.get(THEIRS + ONE + "/permissions", "getOrgRobotPermissions", scope=ORG_ADMIN, **PERMISSIONS)
def permissions_of_theirs(actor: Actor, orgname: str, robot_shortname: str) -> dict[str, Any]:
    """What a robot of an organization was given on repositories."""
    return _permissions(actor, orgname, robot_shortname)


def there(namespace: str, robot: str) -> RobotName:
    """The name of a robot that should be there. Raises RobotUnknown where none can be."""
    try:
        return RobotName.within(namespace, robot)
    except RobotInvalid:
        raise RobotUnknown(robot) from None


def _listed(actor: Actor, namespace: str) -> dict[str, Any]:
    found = services().accounts.robots.of_namespace(
        actor,
        namespace,
        with_tokens=request.flag("token", True),
        with_rights=request.flag("permissions"),
        limit=request.number("limit", 0),
    )
    return {"robots": [listed_shape(view) for view in found]}


def _created(actor: Actor, namespace: str, robot: str, body: dict[str, Any]) -> Reply:
    name = RobotName.within(namespace, robot)
    made = services().accounts.robots.create(
        actor, name, body.get("description", ""), body.get("unstructured_metadata")
    )
    return as_json(shape(made), 201)


def _regenerated(actor: Actor, namespace: str, robot: str, body: dict[str, Any]) -> dict[str, Any]:
    overlap_s = int(body.get("overlap_s", 0))
    return plain_shape(services().accounts.robots.regenerate(actor, there(namespace, robot), overlap_s))


def _permissions(actor: Actor, namespace: str, robot: str) -> dict[str, Any]:
    found = services().accounts.robots.permissions(actor, there(namespace, robot))
    return {"permissions": [permission_shape(given) for given in found]}


def plain_shape(view: RobotView) -> dict[str, Any]:
    """A robot, with its token where that may be seen."""
    shown: dict[str, Any] = {
        "name": str(view.name),
        "created": date(view.row.created_at),
        "last_accessed": date(view.last_used_at),
        "description": view.row.description,
    }
    return shown | ({} if view.token is None else {"token": view.token})


def shape(view: RobotView) -> dict[str, Any]:
    """A robot with all that is known of it."""
    return plain_shape(view) | {"unstructured_metadata": view.metadata}


def listed_shape(view: RobotView) -> dict[str, Any]:
    """A robot in a list, with its teams and repositories where these may be seen."""
    shown = plain_shape(view)
    if view.teams is not None:
        shown["teams"] = [{"name": name, "avatar": avatar(name, "team")} for name in view.teams]
    if view.repositories is not None:
        shown["repositories"] = list(view.repositories)
    return shown


def permission_shape(given: RobotRepositoryRole) -> dict[str, Any]:
    """A role on a repository."""
    name = given.repository.partition("/")[2]
    return {"repository": {"name": name, "is_public": given.is_public}, "role": given.role}

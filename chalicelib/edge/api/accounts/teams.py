"""Teams of organizations, their members and their roles."""

from typing import Any

from chalicelib.domain.errors import MethodUnsupported
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import ORG_ADMIN, USER_ADMIN
from chalicelib.domain.teams import TeamRole
from chalicelib.edge.api.framework import paths
from chalicelib.edge.api.framework.operations import (
    FLAG,
    NUMBER,
    TEXT,
    Operations,
    Parameter,
    a_list,
    an_object,
    one_of,
    text,
)
from chalicelib.edge.api.framework.shapes import AVATAR, avatar
from chalicelib.services.accounts.teams import TeamMember, TeamRepositoryRole, TeamView
from chalicelib.wiring import services

operations = Operations(__name__, "team")
ONE = paths.ORGANIZATION + "/team/{teamname}"
MEMBER_OF, INVITE = ONE + "/members/{membername}", ONE + "/invite/{email}"
CODE = "/api/v1/teaminvite/{code}"

ROLE = one_of(*TeamRole)
TEAM = an_object({"name": TEXT, "description": TEXT, "can_view": FLAG, "role": ROLE, "avatar": AVATAR})
PUT = an_object({**TEAM["properties"], "new_team": FLAG})
SHOWN = an_object({**TEAM["properties"], "repo_count": NUMBER, "member_count": NUMBER, "is_synced": FLAG})
MEMBER = an_object({"name": TEXT, "kind": TEXT, "is_robot": FLAG, "avatar": AVATAR, "invited": FLAG})
CHANGE = an_object(
    {"role": {**ROLE, "description": "Org wide permissions that should apply to the team"}},
    description=text("Markdown description for the team"),
)
PERMISSION = an_object({"repository": an_object({"name": TEXT, "is_public": FLAG}), "role": TEXT})
PENDING = Parameter("includePending", "boolean", "Whether to include invitations, of which there are none")


@operations.put(ONE, "updateOrganizationTeam", scope=ORG_ADMIN, body=CHANGE, answers={200: PUT})
def put(actor: Actor, orgname: str, teamname: str, body: dict[str, Any]) -> dict[str, Any]:
    """Creates a team, or changes its role or description."""
    role = TeamRole(body["role"])
    view, is_new = services().accounts.teams.put(actor, orgname, teamname, role, body.get("description"))
    return basic_team_json(view) | {"new_team": is_new}


@operations.delete(ONE, "deleteOrganizationTeam", scope=ORG_ADMIN, answers={204: None})
def delete(actor: Actor, orgname: str, teamname: str) -> None:
    """Removes a team; its members lose its roles at once."""
    services().accounts.teams.remove(actor, orgname, teamname)


@operations.get(
    ONE + "/members",
    "getOrganizationTeamMembers",
    scope=ORG_ADMIN,
    parameters=(PENDING,),
    answers={200: an_object({"name": TEXT, "members": a_list(MEMBER), "can_edit": FLAG})},
)
def list_members(actor: Actor, orgname: str, teamname: str) -> dict[str, Any]:
    """Lists the members of a team."""
    roster = services().accounts.teams.roster(actor, orgname, teamname)
    members = [member_json(one) for one in roster.members]
    return {"name": roster.team.name, "members": members, "can_edit": roster.can_edit}


@operations.put(MEMBER_OF, "updateOrganizationTeamMember", scope=ORG_ADMIN, answers={200: MEMBER})
def add_member(actor: Actor, orgname: str, teamname: str, membername: str) -> dict[str, Any]:
    """Adds a user or robot to a team."""
    return member_json(services().accounts.teams.add_member(actor, orgname, teamname, membername))


@operations.delete(MEMBER_OF, "deleteOrganizationTeamMember", scope=ORG_ADMIN, answers={204: None})
def remove_member(actor: Actor, orgname: str, teamname: str, membername: str) -> None:
    """Removes a user or robot from a team."""
    services().accounts.teams.remove_member(actor, orgname, teamname, membername)


@operations.get(
    ONE + "/permissions",
    "getOrganizationTeamPermissions",
    scope=ORG_ADMIN,
    answers={200: an_object({"permissions": a_list(PERMISSION)})},
)
def list_permissions(actor: Actor, orgname: str, teamname: str) -> dict[str, Any]:
    """Lists the roles of a team on repositories."""
    roles = services().accounts.teams.permissions(actor, orgname, teamname)
    return {"permissions": [permission_json(role) for role in roles]}


@operations.put(INVITE, "inviteTeamMemberEmail", scope=ORG_ADMIN, answers={405: None})
def invite(**_: str) -> None:
    """Refuses to invite somebody by mail: the registry sends no mail."""
    raise MethodUnsupported("PUT", ["OPTIONS"])


@operations.delete(INVITE, "deleteTeamMemberEmailInvite", scope=ORG_ADMIN, answers={405: None})
def withdraw(**_: str) -> None:
    """Refuses to withdraw an invitation: there are none."""
    raise MethodUnsupported("DELETE", ["OPTIONS"])


@operations.put(CODE, "acceptOrganizationTeamInvite", scope=USER_ADMIN, answers={405: None}, is_internal=True)
def accept(**_: str) -> None:
    """Refuses to accept an invitation: there are none."""
    raise MethodUnsupported("PUT", ["OPTIONS"])


@operations.delete(CODE, "declineOrganizationTeamInvite", scope=USER_ADMIN, answers={405: None}, is_internal=True)
def decline(**_: str) -> None:
    """Refuses to decline an invitation: there are none."""
    raise MethodUnsupported("DELETE", ["OPTIONS"])


def basic_team_json(view: TeamView) -> dict[str, Any]:
    """Returns a team without its counts."""
    team = view.team
    return {
        "name": team.name,
        "description": team.description,
        "can_view": view.can_view,
        "role": team.role,
        "avatar": avatar(team.name, "team"),
    }


def team_json(view: TeamView) -> dict[str, Any]:
    """Returns a team with the numbers of its repositories and members."""
    counts = {"repo_count": view.repositories, "member_count": view.members}
    return basic_team_json(view) | {**counts, "is_synced": False}


def member_json(one: TeamMember) -> dict[str, Any]:
    """Returns a member of a team; Quay counts robots as users."""
    return {
        "name": one.name,
        "kind": "user",
        "is_robot": one.is_robot,
        "avatar": avatar(one.name, one.kind),
        "invited": False,
    }


def permission_json(role: TeamRepositoryRole) -> dict[str, Any]:
    """Returns a role on a repository."""
    return {"repository": {"name": role.repository, "is_public": role.is_public}, "role": role.role}

"""Teams of organizations, who is in them, and what they were given."""

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
PENDING = Parameter("includePending", "boolean", "Whether to tell of those who were invited: nobody ever is")


@operations.put(ONE, "updateOrganizationTeam", scope=ORG_ADMIN, body=CHANGE, answers={200: PUT})
def put(actor: Actor, orgname: str, teamname: str, body: dict[str, Any]) -> dict[str, Any]:
    """Makes a team, or gives it another role or description."""
    role = TeamRole(body["role"])
    view, is_new = services().accounts.teams.put(actor, orgname, teamname, role, body.get("description"))
    return plain_shape(view) | {"new_team": is_new}


@operations.delete(ONE, "deleteOrganizationTeam", scope=ORG_ADMIN, answers={204: None})
def delete(actor: Actor, orgname: str, teamname: str) -> None:
    """Removes a team; what it gave ends at once."""
    services().accounts.teams.remove(actor, orgname, teamname)


@operations.get(
    ONE + "/members",
    "getOrganizationTeamMembers",
    scope=ORG_ADMIN,
    parameters=(PENDING,),
    answers={200: an_object({"name": TEXT, "members": a_list(MEMBER), "can_edit": FLAG})},
)
def list_members(actor: Actor, orgname: str, teamname: str) -> dict[str, Any]:
    """Who is in a team."""
    found = services().accounts.teams.roster(actor, orgname, teamname)
    members = [member_shape(one) for one in found.members]
    return {"name": found.team.name, "members": members, "can_edit": found.can_edit}


@operations.put(MEMBER_OF, "updateOrganizationTeamMember", scope=ORG_ADMIN, answers={200: MEMBER})
def add_member(actor: Actor, orgname: str, teamname: str, membername: str) -> dict[str, Any]:
    """Takes somebody into a team."""
    return member_shape(services().accounts.teams.add_member(actor, orgname, teamname, membername))


@operations.delete(MEMBER_OF, "deleteOrganizationTeamMember", scope=ORG_ADMIN, answers={204: None})
def remove_member(actor: Actor, orgname: str, teamname: str, membername: str) -> None:
    """Takes somebody out of a team."""
    services().accounts.teams.remove_member(actor, orgname, teamname, membername)


@operations.get(
    ONE + "/permissions",
    "getOrganizationTeamPermissions",
    scope=ORG_ADMIN,
    answers={200: an_object({"permissions": a_list(PERMISSION)})},
)
def list_permissions(actor: Actor, orgname: str, teamname: str) -> dict[str, Any]:
    """What a team was given on repositories."""
    found = services().accounts.teams.permissions(actor, orgname, teamname)
    return {"permissions": [permission_shape(given) for given in found]}


@operations.put(INVITE, "inviteTeamMemberEmail", scope=ORG_ADMIN, answers={405: None})
def invite(**_: str) -> None:
    """Would invite somebody by mail, which is never sent from here."""
    raise MethodUnsupported("PUT", ["OPTIONS"])


@operations.delete(INVITE, "deleteTeamMemberEmailInvite", scope=ORG_ADMIN, answers={405: None})
def withdraw(**_: str) -> None:
    """Would take an invitation back: there is none."""
    raise MethodUnsupported("DELETE", ["OPTIONS"])


@operations.put(CODE, "acceptOrganizationTeamInvite", scope=USER_ADMIN, answers={405: None}, is_internal=True)
def accept(**_: str) -> None:
    """Would follow an invitation: there is none."""
    raise MethodUnsupported("PUT", ["OPTIONS"])


@operations.delete(CODE, "declineOrganizationTeamInvite", scope=USER_ADMIN, answers={405: None}, is_internal=True)
def decline(**_: str) -> None:
    """Would decline an invitation: there is none."""
    raise MethodUnsupported("DELETE", ["OPTIONS"])


def plain_shape(view: TeamView) -> dict[str, Any]:
    """A team by itself."""
    team = view.team
    return {
        "name": team.name,
        "description": team.description,
        "can_view": view.can_view,
        "role": team.role,
        "avatar": avatar(team.name, "team"),
    }


def shape(view: TeamView) -> dict[str, Any]:
    """A team as it stands with its organization."""
    counts = {"repo_count": view.repositories, "member_count": view.members}
    return plain_shape(view) | {**counts, "is_synced": False}


def member_shape(one: TeamMember) -> dict[str, Any]:
    """Somebody in a team; robots are users of a kind."""
    return {
        "name": one.name,
        "kind": "user",
        "is_robot": one.is_robot,
        "avatar": avatar(one.name, one.kind),
        "invited": False,
    }


def permission_shape(given: TeamRepositoryRole) -> dict[str, Any]:
    """A role on a repository."""
    return {"repository": {"name": given.repository, "is_public": given.is_public}, "role": given.role}

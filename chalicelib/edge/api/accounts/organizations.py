"""Organizations: made, shown to everybody as far as they may know, changed, ended; and who belongs to them."""

from typing import Any

from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import ORG_ADMIN, SUPER_USER, USER_ADMIN
from chalicelib.edge import request
from chalicelib.edge.api.accounts import quotas
from chalicelib.edge.api.accounts.teams import SHOWN as TEAM
from chalicelib.edge.api.accounts.teams import shape as team_shape
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
from chalicelib.edge.api.framework.shapes import AVATAR, avatar
from chalicelib.edge.response import Reply, as_json
from chalicelib.services.accounts.organizations import (
    LARGEST_PAGE,
    ListedMembership,
    Member,
    OrganizationChanges,
    OrganizationView,
)
from chalicelib.wiring import services

operations = Operations(__name__, "organization")
ALL, ONE = "/api/v1/organization", paths.ORGANIZATION
MEMBERS = ONE + "/members"
EVERYWHERE, ANY = "/api/v1/superuser/organizations", "/api/v1/superuser/organizations/{name}"
GUARD: dict[str, Any] = {"scope": SUPER_USER, "is_fresh": True}

REPORT = an_object(
    {"quota_bytes": NUMBER, "configured_quota": or_null(NUMBER), "running_backfill": TEXT, "backfill_status": TEXT}
)
ORGANIZATION = an_object(
    {"name": TEXT, "email": TEXT, "avatar": AVATAR, "is_admin": FLAG, "is_member": FLAG},
    teams={"type": "object", "additionalProperties": TEAM, "description": "Teams by name, for members"},
    ordered_teams=a_list(TEXT),
    invoice_email=FLAG,
    invoice_email_address=or_null(TEXT),
    tag_expiration_s=NUMBER,
    is_free_account=FLAG,
    quotas=a_list(quotas.QUOTA),
    quota_report=REPORT,
)
NEW = an_object(
    {"name": text("Organization username")},
    email=or_null(text("Organization contact email")),
    contact_email=or_null(text("The same")),
)
CHANGE = an_object(
    email=text("Organization contact email"),
    invoice_email={**FLAG, "description": "Whether the organization desires to receive emails for invoices"},
    invoice_email_address=or_null(text("The email address at which to receive invoices")),
    tag_expiration_s={**NUMBER, "minimum": 0, "description": "The number of seconds for tag expiration"},
)
LISTED = an_object({"name": TEXT, "email": TEXT, "avatar": AVATAR, "quotas": a_list(quotas.QUOTA)})
RENAME = an_object(name=text("The new name for the organization"))
COLLABORATOR = an_object({"name": TEXT, "kind": TEXT, "avatar": AVATAR, "repositories": a_list(TEXT)})
MEMBER = an_object(
    {**COLLABORATOR["properties"], "teams": a_list(an_object({"name": TEXT, "avatar": AVATAR}))},
)


@operations.post(ALL, "createOrganization", scope=USER_ADMIN, body=NEW, answers={201: TEXT}, slash=True)
def create(actor: Actor, body: dict[str, Any]) -> Reply:
    """Makes an organization, which oneself owns."""
    services().accounts.organizations.create(actor, body["name"], body.get("email") or body.get("contact_email"))
    return as_json("Created", 201)


@operations.get(ONE, "getOrganization", answers={200: ORGANIZATION})
def get(actor: Actor, orgname: str) -> dict[str, Any]:
    """An organization: its name for everybody, its teams for its members, the rest for its owners."""
    return shape(services().accounts.organizations.overview(actor, orgname))


@operations.put(ONE, "changeOrganizationDetails", scope=ORG_ADMIN, body=CHANGE, answers={200: ORGANIZATION})
def change(actor: Actor, orgname: str, body: dict[str, Any]) -> dict[str, Any]:
    """Changes an organization; what is not said stays."""
    return shape(services().accounts.organizations.change(actor, orgname, _wishes(body)))


@operations.delete(ONE, "deleteAdminedOrganization", scope=ORG_ADMIN, answers={204: None}, is_fresh=True)
def delete(actor: Actor, orgname: str) -> None:
    """Ends an organization with all that is in it. Its name is free when all of that is taken away."""
    services().accounts.organizations.delete(actor, orgname)


@operations.get(
    ONE + "/collaborators",
    "getOrganizationCollaborators",
    scope=ORG_ADMIN,
    answers={200: an_object({"collaborators": a_list(COLLABORATOR)})},
)
def list_collaborators(actor: Actor, orgname: str) -> dict[str, Any]:
    """Users outside of the teams who have a role on some repository."""
    found = services().accounts.organizations.collaborators(actor, orgname)
    return {"collaborators": [collaborator_shape(one) for one in found]}


@operations.get(
    MEMBERS, "getOrganizationMembers", scope=ORG_ADMIN, answers={200: an_object({"members": a_list(MEMBER)})}
)
def list_members(actor: Actor, orgname: str) -> dict[str, Any]:
    """Users in the teams."""
    return {"members": [member_shape(one) for one in services().accounts.organizations.members(actor, orgname)]}


@operations.get(MEMBERS + "/{membername}", "getOrganizationMember", scope=ORG_ADMIN, answers={200: MEMBER})
def get_member(actor: Actor, orgname: str, membername: str) -> dict[str, Any]:
    """One of them."""
    return member_shape(services().accounts.organizations.member(actor, orgname, membername))


@operations.delete(MEMBERS + "/{membername}", "removeOrganizationMember", scope=ORG_ADMIN, answers={204: None})
def remove_member(actor: Actor, orgname: str, membername: str) -> None:
    """Takes a user out of all teams, and takes their roles on repositories back."""
    services().accounts.teams.leave_all(actor, orgname, membername)


@operations.get(
    EVERYWHERE,
    "listAllOrganizations",
    parameters=(
        Parameter("limit", "integer", f"How many a page has, {LARGEST_PAGE} at most and without it"),
        Parameter("next_page", "string", "Where the page before ended"),
    ),
    answers={200: an_object({"organizations": a_list(LISTED)}, next_page=TEXT)},
    is_internal=True,
    slash=True,
    **GUARD,
)
def list_everywhere(actor: Actor) -> dict[str, Any]:
    """All organizations, by name."""
    after, size = request.parameter("next_page") or "", request.number("limit", LARGEST_PAGE)
    found, following = services().accounts.organizations.everywhere(actor, after, size)
    shown: dict[str, Any] = {"organizations": [listed_shape(one) for one in found]}
    return shown | ({"next_page": following} if following else {})


@operations.put(ANY, "changeOrganization", body=RENAME, answers={200: LISTED}, **GUARD)
def rename(actor: Actor, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """Gives an organization another name; the one before is free when nothing is known by it any more."""
    wanted = body.get("name") or name
    services().accounts.renames.rename(actor, name, wanted)
    return listed_shape(services().accounts.organizations.listed(actor, wanted))


@operations.delete(ANY, "deleteOrganization", answers={204: None}, **GUARD)
def delete_any(actor: Actor, name: str) -> None:
    """Ends an organization of somebody else."""
    services().accounts.organizations.delete_any(actor, name)


@operations.post(
    "/api/v1/superuser/takeownership/{namespace}",
    "takeOwnership",
    answers={200: an_object({"namespace": TEXT})},
    is_internal=True,
    **GUARD,
)
def take(actor: Actor, namespace: str) -> dict[str, Any]:
    """Becomes an owner of an organization: only where superusers have full access."""
    services().accounts.teams.take(actor, namespace)
    return {"namespace": namespace}


def _wishes(body: dict[str, Any]) -> OrganizationChanges:
    window = body.get("tag_expiration_s")
    address = body.get("invoice_email_address")
    return OrganizationChanges(
        body.get("email"),
        None if window is None else int(window),
        body.get("invoice_email"),
        "" if address is None and "invoice_email_address" in body else address,
    )


def shape(overview: OrganizationView) -> dict[str, Any]:
    """An organization as far as whoever asks may know it."""
    place, row = overview.namespace_access, overview.namespace
    shown: dict[str, Any] = {
        "name": row.name,
        "email": (row.email or "") if place.is_admin else "",
        "avatar": avatar(row.name, "user"),
        "is_admin": place.is_admin,
        "is_member": place.role is not None,
    }
    if place.role is not None:
        shown["teams"] = {view.team.name: team_shape(view) for view in overview.teams}
        shown["ordered_teams"] = [view.team.name for view in overview.teams]
    return shown | (_kept_by_owners(overview) if place.is_admin else {})


def _kept_by_owners(overview: OrganizationView) -> dict[str, Any]:
    row, quota = overview.namespace, overview.quota
    return {
        "invoice_email": row.invoice_email,
        "invoice_email_address": row.invoice_email_address,
        "tag_expiration_s": row.window_s,
        "is_free_account": True,
        "quotas": [quotas.shape(quota)] if quota else [],
        "quota_report": {
            "quota_bytes": overview.bytes,
            "configured_quota": quota.limit_bytes if quota else None,
            "running_backfill": "complete",
            "backfill_status": "complete",
        },
    }


def listed_shape(one: ListedMembership) -> dict[str, Any]:
    """An organization as superusers see it, who know nothing of what is in it."""
    return {
        "name": one.name,
        "email": one.email or "",
        "avatar": avatar(one.name, "user"),
        "quotas": [quotas.shape(one.quota)] if one.quota else [],
    }


def collaborator_shape(one: Member) -> dict[str, Any]:
    """Somebody who has a role on repositories, of which these are the names."""
    return {
        "name": one.name,
        "kind": one.kind,
        "avatar": avatar(one.name, one.kind),
        "repositories": list(one.repositories),
    }


def member_shape(one: Member) -> dict[str, Any]:
    """Somebody in teams."""
    return collaborator_shape(one) | {
        "teams": [{"name": name, "avatar": avatar(name, "team")} for name in one.teams],
    }

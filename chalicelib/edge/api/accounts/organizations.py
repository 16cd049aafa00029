"""Organizations and their members: creates, shows, changes and deletes them."""

from typing import Any

from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import ORG_ADMIN, SUPER_USER, USER_ADMIN
from chalicelib.edge import request
from chalicelib.edge.api.accounts import quotas
from chalicelib.edge.api.accounts.teams import SHOWN as TEAM
from chalicelib.edge.api.accounts.teams import team_json
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
LIST_ALL, ANY = "/api/v1/superuser/organizations", "/api/v1/superuser/organizations/{name}"
GUARD: dict[str, Any] = {"scope": SUPER_USER, "is_fresh": True}

REPORT = an_object(
    {"quota_bytes": NUMBER, "configured_quota": or_null(NUMBER), "running_backfill": TEXT, "backfill_status": TEXT}
)
ORGANIZATION = an_object(
    {"name": TEXT, "email": TEXT, "avatar": AVATAR, "is_admin": FLAG, "is_member": FLAG},
    teams={"type": "object", "additionalProperties": TEAM, "description": "Teams by name, shown to members"},
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
    contact_email=or_null(text("The same as email")),
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
    """Creates an organization, which the user owns."""
    services().accounts.organizations.create(actor, body["name"], body.get("email") or body.get("contact_email"))
    return as_json("Created", 201)


@operations.get(ONE, "getOrganization", answers={200: ORGANIZATION})
def get(actor: Actor, orgname: str) -> dict[str, Any]:
    """Returns an organization: its name to everybody, its teams to members, the rest to owners."""
    return organization_json(services().accounts.organizations.overview(actor, orgname))


@operations.put(ONE, "changeOrganizationDetails", scope=ORG_ADMIN, body=CHANGE, answers={200: ORGANIZATION})
def change(actor: Actor, orgname: str, body: dict[str, Any]) -> dict[str, Any]:
    """Changes an organization; fields that are left out stay."""
    return organization_json(services().accounts.organizations.change(actor, orgname, _changes(body)))


@operations.delete(ONE, "deleteAdminedOrganization", scope=ORG_ADMIN, answers={204: None}, is_fresh=True)
def delete(actor: Actor, orgname: str) -> None:
    """Deletes an organization with everything in it; its name is free once all of that is removed."""
    services().accounts.organizations.delete(actor, orgname)


@operations.get(
    ONE + "/collaborators",
    "getOrganizationCollaborators",
    scope=ORG_ADMIN,
    answers={200: an_object({"collaborators": a_list(COLLABORATOR)})},
)
def list_collaborators(actor: Actor, orgname: str) -> dict[str, Any]:
    """Lists users outside of the teams who have a role on a repository."""
    collaborators = services().accounts.organizations.collaborators(actor, orgname)
    return {"collaborators": [collaborator_json(one) for one in collaborators]}


@operations.get(
    MEMBERS, "getOrganizationMembers", scope=ORG_ADMIN, answers={200: an_object({"members": a_list(MEMBER)})}
)
def list_members(actor: Actor, orgname: str) -> dict[str, Any]:
    """Lists the members of the teams."""
    return {"members": [member_json(one) for one in services().accounts.organizations.members(actor, orgname)]}


@operations.get(MEMBERS + "/{membername}", "getOrganizationMember", scope=ORG_ADMIN, answers={200: MEMBER})
def get_member(actor: Actor, orgname: str, membername: str) -> dict[str, Any]:
    """Returns one member of the teams."""
    return member_json(services().accounts.organizations.member(actor, orgname, membername))


@operations.delete(MEMBERS + "/{membername}", "removeOrganizationMember", scope=ORG_ADMIN, answers={204: None})
def remove_member(actor: Actor, orgname: str, membername: str) -> None:
    """Removes a user from all teams, and their roles on repositories."""
    services().accounts.teams.leave_all(actor, orgname, membername)


@operations.get(
    LIST_ALL,
    "listAllOrganizations",
    parameters=(
        Parameter("limit", "integer", f"The size of a page: {LARGEST_PAGE} at most and by default"),
        Parameter("next_page", "string", "The token from the previous page"),
    ),
    answers={200: an_object({"organizations": a_list(LISTED)}, next_page=TEXT)},
    is_internal=True,
    slash=True,
    **GUARD,
)
def list_everywhere(actor: Actor) -> dict[str, Any]:
    """Lists all organizations by name."""
    after, size = request.parameter("next_page") or "", request.number("limit", LARGEST_PAGE)
    page, following = services().accounts.organizations.everywhere(actor, after, size)
    document: dict[str, Any] = {"organizations": [listed_organization_json(one) for one in page]}
    return document | ({"next_page": following} if following else {})


@operations.put(ANY, "changeOrganization", body=RENAME, answers={200: LISTED}, **GUARD)
def rename(actor: Actor, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """Renames an organization; the old name is free once nothing uses it any more."""
    new_name = body.get("name") or name
    services().accounts.renames.rename(actor, name, new_name)
    return listed_organization_json(services().accounts.organizations.listed(actor, new_name))


@operations.delete(ANY, "deleteOrganization", answers={204: None}, **GUARD)
def delete_any(actor: Actor, name: str) -> None:
    """Deletes any organization."""
    services().accounts.organizations.delete_any(actor, name)


@operations.post(
    "/api/v1/superuser/takeownership/{namespace}",
    "takeOwnership",
    answers={200: an_object({"namespace": TEXT})},
    is_internal=True,
    **GUARD,
)
def take(actor: Actor, namespace: str) -> dict[str, Any]:
    """Makes the caller an owner of an organization; only where superusers have full access."""
    services().accounts.teams.take(actor, namespace)
    return {"namespace": namespace}


def _changes(body: dict[str, Any]) -> OrganizationChanges:
    window = body.get("tag_expiration_s")
    address = body.get("invoice_email_address")
    return OrganizationChanges(
        body.get("email"),
        None if window is None else int(window),
        body.get("invoice_email"),
        "" if address is None and "invoice_email_address" in body else address,
    )


def organization_json(overview: OrganizationView) -> dict[str, Any]:
    """Returns an organization with the fields that the caller may see."""
    place, row = overview.namespace_access, overview.namespace
    document: dict[str, Any] = {
        "name": row.name,
        "email": (row.email or "") if place.is_admin else "",
        "avatar": avatar(row.name, "user"),
        "is_admin": place.is_admin,
        "is_member": place.role is not None,
    }
    if place.role is not None:
        document["teams"] = {view.team.name: team_json(view) for view in overview.teams}
        document["ordered_teams"] = [view.team.name for view in overview.teams]
    return document | (_owner_fields(overview) if place.is_admin else {})


def _owner_fields(overview: OrganizationView) -> dict[str, Any]:
    row, quota = overview.namespace, overview.quota
    return {
        "invoice_email": row.invoice_email,
        "invoice_email_address": row.invoice_email_address,
        "tag_expiration_s": row.window_s,
        "is_free_account": True,
        "quotas": [quotas.quota_json(quota)] if quota else [],
        "quota_report": {
            "quota_bytes": overview.bytes,
            "configured_quota": quota.limit_bytes if quota else None,
            "running_backfill": "complete",
            "backfill_status": "complete",
        },
    }


def listed_organization_json(one: ListedMembership) -> dict[str, Any]:
    """Returns an organization as superusers see it, without its content."""
    return {
        "name": one.name,
        "email": one.email or "",
        "avatar": avatar(one.name, "user"),
        "quotas": [quotas.quota_json(one.quota)] if one.quota else [],
    }


def collaborator_json(one: Member) -> dict[str, Any]:
    """Returns a user with the names of the repositories on which they have a role."""
    return {
        "name": one.name,
        "kind": one.kind,
        "avatar": avatar(one.name, one.kind),
        "repositories": list(one.repositories),
    }


def member_json(one: Member) -> dict[str, Any]:
    """Returns a user with their teams and repositories."""
    return collaborator_json(one) | {
        "teams": [{"name": name, "avatar": avatar(name, "team")} for name in one.teams],
    }

"""Prototypes: the default permissions of an organization."""

from typing import Any

from chalicelib.domain.permissions import Actor, HolderKind, Role
from chalicelib.domain.scopes import ORG_ADMIN
from chalicelib.edge.api.framework import paths
from chalicelib.edge.api.framework.operations import FLAG, TEXT, Operations, a_list, an_object, one_of, or_null, text
from chalicelib.edge.api.framework.shapes import AVATAR, avatar
from chalicelib.services.accounts.prototypes import NewPrototype, Prototype, PrototypeParty
from chalicelib.wiring import services

operations = Operations(__name__, "prototype")
ALL = paths.ORGANIZATION + "/prototypes"
ONE = ALL + "/{prototypeid}"

ROLE = {**one_of(*Role), "description": "Role that should be applied to the delegate"}
PARTY = an_object({"name": TEXT, "kind": TEXT, "avatar": AVATAR}, is_robot=FLAG, is_org_member=FLAG)
PROTOTYPE = an_object({"id": TEXT, "role": ROLE, "delegate": PARTY, "activating_user": or_null(PARTY)})
DELEGATE = an_object({"name": text("The name of the delegate"), "kind": one_of("user", "team")})
MAKER = or_null(an_object({"name": text("The user to whose new repositories it applies; without it, to everybody's")}))
NEW = an_object({"role": ROLE, "delegate": DELEGATE}, activating_user=MAKER)
CHANGE = an_object({"role": ROLE})


@operations.get(
    ALL,
    "getOrganizationPrototypePermissions",
    scope=ORG_ADMIN,
    answers={200: an_object({"prototypes": a_list(PROTOTYPE)})},
)
def list_prototypes(actor: Actor, orgname: str) -> dict[str, Any]:
    """Lists an organization's default permissions."""
    return {
        "prototypes": [prototype_json(one) for one in services().accounts.prototypes.of_organization(actor, orgname)]
    }


@operations.post(ALL, "createOrganizationPrototypePermission", scope=ORG_ADMIN, body=NEW, answers={200: PROTOTYPE})
def create(actor: Actor, orgname: str, body: dict[str, Any]) -> dict[str, Any]:
    """Creates a default permission, which gives a delegate a role on new repositories."""
    delegate, maker = body["delegate"], body.get("activating_user") or {}
    prototype = NewPrototype(Role(body["role"]), HolderKind(delegate["kind"]), delegate["name"], maker.get("name"))
    return prototype_json(services().accounts.prototypes.create(actor, orgname, prototype))


@operations.put(ONE, "updateOrganizationPrototypePermission", scope=ORG_ADMIN, body=CHANGE, answers={200: PROTOTYPE})
def change(actor: Actor, orgname: str, prototypeid: str, body: dict[str, Any]) -> dict[str, Any]:
    """Changes the role of a default permission, for repositories that are created from now on."""
    return prototype_json(services().accounts.prototypes.change(actor, orgname, prototypeid, Role(body["role"])))


@operations.delete(ONE, "deleteOrganizationPrototypePermission", scope=ORG_ADMIN, answers={204: None})
def delete(actor: Actor, orgname: str, prototypeid: str) -> None:
    """Removes a default permission; roles that it has given stay."""
    services().accounts.prototypes.delete(actor, orgname, prototypeid)


def prototype_json(one: Prototype) -> dict[str, Any]:
    """Returns a default permission."""
    return {
        "id": one.uuid,
        "role": one.role,
        "delegate": party_json(one.delegate),
        "activating_user": party_json(one.maker) if one.maker else None,
    }


def party_json(party: PrototypeParty) -> dict[str, Any]:
    """Returns the delegate or the maker of a default permission; Quay counts robots as users."""
    document = {"name": party.name, "kind": "user", "avatar": avatar(party.name, party.kind)}
    if party.kind is HolderKind.TEAM:
        return document | {"kind": "team"}
    return document | {"is_robot": party.kind is HolderKind.ROBOT, "is_org_member": party.is_member}

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
MAKER = or_null(an_object({"name": text("Whose new repositories it is for; everybody's if not said")}))
NEW = an_object({"role": ROLE, "delegate": DELEGATE}, activating_user=MAKER)
CHANGE = an_object({"role": ROLE})


@operations.get(
    ALL,
    "getOrganizationPrototypePermissions",
    scope=ORG_ADMIN,
    answers={200: an_object({"prototypes": a_list(PROTOTYPE)})},
)
def list_prototypes(actor: Actor, orgname: str) -> dict[str, Any]:
    """An organization's default permissions."""
    return {"prototypes": [shape(one) for one in services().accounts.prototypes.of_organization(actor, orgname)]}


@operations.post(ALL, "createOrganizationPrototypePermission", scope=ORG_ADMIN, body=NEW, answers={200: PROTOTYPE})
def create(actor: Actor, orgname: str, body: dict[str, Any]) -> dict[str, Any]:
    """Has a delegate given a role on every new repository, of one maker or of everybody."""
    delegate, maker = body["delegate"], body.get("activating_user") or {}
    wish = NewPrototype(Role(body["role"]), HolderKind(delegate["kind"]), delegate["name"], maker.get("name"))
    return shape(services().accounts.prototypes.create(actor, orgname, wish))


@operations.put(ONE, "updateOrganizationPrototypePermission", scope=ORG_ADMIN, body=CHANGE, answers={200: PROTOTYPE})
def change(actor: Actor, orgname: str, prototypeid: str, body: dict[str, Any]) -> dict[str, Any]:
    """Gives a default permission another role, for repositories made from now on."""
    return shape(services().accounts.prototypes.change(actor, orgname, prototypeid, Role(body["role"])))


@operations.delete(ONE, "deleteOrganizationPrototypePermission", scope=ORG_ADMIN, answers={204: None})
def delete(actor: Actor, orgname: str, prototypeid: str) -> None:
    """Removes a default permission; what was given stays."""
    services().accounts.prototypes.delete(actor, orgname, prototypeid)


def shape(one: Prototype) -> dict[str, Any]:
    """A default permission."""
    return {
        "id": one.uuid,
        "role": one.role,
        "delegate": party_shape(one.delegate),
        "activating_user": party_shape(one.maker) if one.maker else None,
    }


def party_shape(party: PrototypeParty) -> dict[str, Any]:
    """Somebody in a default permission; robots are users of a kind."""
    shown = {"name": party.name, "kind": "user", "avatar": avatar(party.name, party.kind)}
    if party.kind is HolderKind.TEAM:
        return shown | {"kind": "team"}
    return shown | {"is_robot": party.kind is HolderKind.ROBOT, "is_org_member": party.is_member}

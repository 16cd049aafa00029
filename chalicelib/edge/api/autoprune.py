"""Auto-prune policies: of organizations, of repositories, and of one's own namespace."""

from typing import Any

from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor
from chalicelib.domain.policies import Kind, Policy
from chalicelib.domain.scopes import ORG_ADMIN, REPO_ADMIN, USER_ADMIN
from chalicelib.edge.api.operations import FLAG, TEXT, Operations, a_list, an_object, or_null, text
from chalicelib.edge.reply import Reply, as_json
from chalicelib.services.policies import Asked, Holder
from chalicelib.wiring import services

operations = Operations(__name__, "autoprune")

VALUE = {"type": ["integer", "string"], "description": "How many tags stay; or their age, as in 7d, 12h or 2w"}
POLICY = an_object(
    {"uuid": TEXT, "method": TEXT, "value": VALUE, "tagPattern": or_null(TEXT), "tagPatternMatches": FLAG}
)
POLICIES = an_object({"policies": a_list(POLICY)})
GIVE = an_object(
    {"method": text("number_of_tags or creation_date"), "value": VALUE},
    tagPattern=or_null(text("A regular expression (RE2) that names the tags; without it all are pruned")),
    tagPatternMatches=or_null({**FLAG, "description": "Off: tags are pruned that the pattern does not take"}),
)
UUID = an_object({"uuid": TEXT})
CREATED, CHANGED, DELETED = {201: UUID}, {204: None}, {200: UUID}
ORGANIZATION = "/api/v1/organization/{orgname}/autoprunepolicy"
REPOSITORY = "/api/v1/repository/{repository}/autoprunepolicy"
MINE = "/api/v1/user/autoprunepolicy"
ONE = "/{policy_uuid}"
# A number in a query that is longer is none that could be kept.
LONGEST = 12


def _organization(name: str) -> Holder:
    return Holder(organization=name)


def _repository(name: str) -> Holder:
    return Holder(repository=RepositoryName.parse(name))


@operations.get(ORGANIZATION, "listOrganizationAutoPrunePolicies", scope=ORG_ADMIN, answers={200: POLICIES}, slash=True)
def list_of_organization(actor: Actor, orgname: str) -> dict[str, Any]:
    """An organization's policies, which are for all its repositories."""
    return _listed(actor, _organization(orgname))


@operations.post(
    ORGANIZATION, "createOrganizationAutoPrunePolicy", scope=ORG_ADMIN, body=GIVE, answers=CREATED, slash=True
)
def create_for_organization(actor: Actor, orgname: str, body: dict[str, Any]) -> Reply:
    """Prunes the tags of an organization's repositories from now on, every hour."""
    return _created(actor, _organization(orgname), body)


@operations.get(ORGANIZATION + ONE, "getOrganizationAutoPrunePolicy", scope=ORG_ADMIN, answers={200: POLICY})
def get_of_organization(actor: Actor, orgname: str, policy_uuid: str) -> dict[str, Any]:
    """One policy of an organization."""
    return _got(actor, _organization(orgname), policy_uuid)


@operations.put(ORGANIZATION + ONE, "updateOrganizationAutoPrunePolicy", scope=ORG_ADMIN, body=GIVE, answers=CHANGED)
def change_of_organization(actor: Actor, orgname: str, policy_uuid: str, body: dict[str, Any]) -> None:
    """Says a policy of an organization anew, whole."""
    services().policies.change(actor, _organization(orgname), policy_uuid, _asked(body))


@operations.delete(ORGANIZATION + ONE, "deleteOrganizationAutoPrunePolicy", scope=ORG_ADMIN, answers=DELETED)
def delete_of_organization(actor: Actor, orgname: str, policy_uuid: str) -> dict[str, str]:
    """Takes a policy of an organization away; tags that it pruned stay so."""
    return _deleted(actor, _organization(orgname), policy_uuid)


@operations.get(REPOSITORY, "listRepositoryAutoPrunePolicies", scope=REPO_ADMIN, answers={200: POLICIES}, slash=True)
def list_of_repository(actor: Actor, repository: str) -> dict[str, Any]:
    """A repository's own policies; those of its namespace count beside them."""
    return _listed(actor, _repository(repository))


@operations.post(
    REPOSITORY, "createRepositoryAutoPrunePolicy", scope=REPO_ADMIN, body=GIVE, answers=CREATED, slash=True
)
def create_for_repository(actor: Actor, repository: str, body: dict[str, Any]) -> Reply:
    """Prunes the tags of a repository from now on, every hour."""
    return _created(actor, _repository(repository), body)


@operations.get(REPOSITORY + ONE, "getRepositoryAutoPrunePolicy", scope=REPO_ADMIN, answers={200: POLICY})
def get_of_repository(actor: Actor, repository: str, policy_uuid: str) -> dict[str, Any]:
    """One policy of a repository."""
    return _got(actor, _repository(repository), policy_uuid)


@operations.put(REPOSITORY + ONE, "updateRepositoryAutoPrunePolicy", scope=REPO_ADMIN, body=GIVE, answers=CHANGED)
def change_of_repository(actor: Actor, repository: str, policy_uuid: str, body: dict[str, Any]) -> None:
    """Says a policy of a repository anew, whole."""
    services().policies.change(actor, _repository(repository), policy_uuid, _asked(body))


@operations.delete(REPOSITORY + ONE, "deleteRepositoryAutoPrunePolicy", scope=REPO_ADMIN, answers=DELETED)
def delete_of_repository(actor: Actor, repository: str, policy_uuid: str) -> dict[str, str]:
    """Takes a policy of a repository away; tags that it pruned stay so."""
    return _deleted(actor, _repository(repository), policy_uuid)


@operations.get(MINE, "listUserAutoPrunePolicies", scope=USER_ADMIN, answers={200: POLICIES}, slash=True)
def list_mine(actor: Actor) -> dict[str, Any]:
    """The policies of one's own namespace."""
    return _listed(actor, Holder())


@operations.post(MINE, "createUserAutoPrunePolicy", scope=USER_ADMIN, body=GIVE, answers=CREATED, slash=True)
def create_mine(actor: Actor, body: dict[str, Any]) -> Reply:
    """Prunes the tags of one's own repositories from now on, every hour."""
    return _created(actor, Holder(), body)


@operations.get(MINE + ONE, "getUserAutoPrunePolicy", scope=USER_ADMIN, answers={200: POLICY})
def get_mine(actor: Actor, policy_uuid: str) -> dict[str, Any]:
    """One policy of one's own."""
    return _got(actor, Holder(), policy_uuid)


@operations.put(MINE + ONE, "updateUserAutoPrunePolicy", scope=USER_ADMIN, body=GIVE, answers=CHANGED)
def change_mine(actor: Actor, policy_uuid: str, body: dict[str, Any]) -> None:
    """Says a policy of one's own anew, whole."""
    services().policies.change(actor, Holder(), policy_uuid, _asked(body))


@operations.delete(MINE + ONE, "deleteUserAutoPrunePolicy", scope=USER_ADMIN, answers=DELETED)
def delete_mine(actor: Actor, policy_uuid: str) -> dict[str, str]:
    """Takes a policy of one's own away; tags that it pruned stay so."""
    return _deleted(actor, Holder(), policy_uuid)


def _listed(actor: Actor, holder: Holder) -> dict[str, Any]:
    return {"policies": [shape(policy) for policy in services().policies.list(actor, holder, Kind.PRUNE)]}


def _created(actor: Actor, holder: Holder, body: dict[str, Any]) -> Reply:
    return as_json({"uuid": services().policies.create(actor, holder, _asked(body)).uuid}, 201)


def _got(actor: Actor, holder: Holder, uuid: str) -> dict[str, Any]:
    return shape(services().policies.get(actor, holder, Kind.PRUNE, uuid))


def _deleted(actor: Actor, holder: Holder, uuid: str) -> dict[str, str]:
    services().policies.delete(actor, holder, Kind.PRUNE, uuid)
    return {"uuid": uuid}


def _asked(body: dict[str, Any]) -> Asked:
    matches = body.get("tagPatternMatches")
    return Asked(body.get("tagPattern"), matches is not False, body["method"], body["value"])


def shape(policy: Policy) -> dict[str, Any]:
    """A policy as Quay shows it."""
    prune = policy.prune
    return {
        "uuid": policy.uuid,
        "method": prune.method.value if prune else "",
        "value": prune.value if prune else 0,
        "tagPattern": policy.names.pattern,
        "tagPatternMatches": policy.names.matches,
    }

"""Immutability policies: which tags of an organization or a repository change no more once they are there."""

from typing import Any

from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor
from chalicelib.domain.policies import Kind, Policy
from chalicelib.domain.scopes import ORG_ADMIN, REPO_ADMIN
from chalicelib.edge.api.operations import FLAG, TEXT, Operations, a_list, an_object, or_null, text
from chalicelib.edge.reply import Reply, as_json
from chalicelib.services.policies import Asked, Holder
from chalicelib.wiring import services

operations = Operations(__name__, "immutability")

POLICY = an_object({"uuid": TEXT, "tagPattern": TEXT, "tagPatternMatches": FLAG})
POLICIES = an_object({"policies": a_list(POLICY)})
GIVE = an_object(
    {"tagPattern": text("A regular expression (RE2) that a tag's name begins with")},
    tagPatternMatches=or_null({**FLAG, "description": "Off: it is about tags that the pattern does not take"}),
)
UUID = an_object({"uuid": TEXT})
CREATED, CHANGED, DELETED = {201: UUID}, {204: None}, {200: UUID}
ORGANIZATION = "/api/v1/organization/{orgname}/immutabilitypolicy"
REPOSITORY = "/api/v1/repository/{repository}/immutabilitypolicy"
ONE = "/{policy_uuid}"


def _organization(name: str) -> Holder:
    return Holder(organization=name)


def _repository(name: str) -> Holder:
    return Holder(repository=RepositoryName.parse(name))


@operations.get(ORGANIZATION, "listOrgImmutabilityPolicies", scope=ORG_ADMIN, answers={200: POLICIES}, slash=True)
def list_of_organization(actor: Actor, orgname: str) -> dict[str, Any]:
    """An organization's policies, which are for all its repositories."""
    return _listed(actor, _organization(orgname))


@operations.post(ORGANIZATION, "createOrgImmutabilityPolicy", scope=ORG_ADMIN, body=GIVE, answers=CREATED, slash=True)
def create_for_organization(actor: Actor, orgname: str, body: dict[str, Any]) -> Reply:
    """Lets tags of an organization's repositories change no more; those that are there already too."""
    return _created(actor, _organization(orgname), body)


@operations.get(ORGANIZATION + ONE, "getOrgImmutabilityPolicy", scope=ORG_ADMIN, answers={200: POLICY})
def get_of_organization(actor: Actor, orgname: str, policy_uuid: str) -> dict[str, Any]:
    """One policy of an organization."""
    return _got(actor, _organization(orgname), policy_uuid)


@operations.put(ORGANIZATION + ONE, "updateOrgImmutabilityPolicy", scope=ORG_ADMIN, body=GIVE, answers=CHANGED)
def change_of_organization(actor: Actor, orgname: str, policy_uuid: str, body: dict[str, Any]) -> None:
    """Says a policy of an organization anew, whole; tags that it had fixed stay so."""
    services().policies.change(actor, _organization(orgname), policy_uuid, _asked(body))


@operations.delete(ORGANIZATION + ONE, "deleteOrgImmutabilityPolicy", scope=ORG_ADMIN, answers=DELETED)
def delete_of_organization(actor: Actor, orgname: str, policy_uuid: str) -> dict[str, str]:
    """Takes a policy of an organization away; tags that it had fixed stay so."""
    return _deleted(actor, _organization(orgname), policy_uuid)


@operations.get(REPOSITORY, "listRepositoryImmutabilityPolicies", scope=REPO_ADMIN, answers={200: POLICIES}, slash=True)
def list_of_repository(actor: Actor, repository: str) -> dict[str, Any]:
    """A repository's own policies; those of its organization count beside them."""
    return _listed(actor, _repository(repository))


@operations.post(
    REPOSITORY, "createRepositoryImmutabilityPolicy", scope=REPO_ADMIN, body=GIVE, answers=CREATED, slash=True
)
def create_for_repository(actor: Actor, repository: str, body: dict[str, Any]) -> Reply:
    """Lets tags of a repository change no more; those that are there already too."""
    return _created(actor, _repository(repository), body)


@operations.get(REPOSITORY + ONE, "getRepositoryImmutabilityPolicy", scope=REPO_ADMIN, answers={200: POLICY})
def get_of_repository(actor: Actor, repository: str, policy_uuid: str) -> dict[str, Any]:
    """One policy of a repository."""
    return _got(actor, _repository(repository), policy_uuid)


@operations.put(REPOSITORY + ONE, "updateRepositoryImmutabilityPolicy", scope=REPO_ADMIN, body=GIVE, answers=CHANGED)
def change_of_repository(actor: Actor, repository: str, policy_uuid: str, body: dict[str, Any]) -> None:
    """Says a policy of a repository anew, whole; tags that it had fixed stay so."""
    services().policies.change(actor, _repository(repository), policy_uuid, _asked(body))


@operations.delete(REPOSITORY + ONE, "deleteRepositoryImmutabilityPolicy", scope=REPO_ADMIN, answers=DELETED)
def delete_of_repository(actor: Actor, repository: str, policy_uuid: str) -> dict[str, str]:
    """Takes a policy of a repository away; tags that it had fixed stay so."""
    return _deleted(actor, _repository(repository), policy_uuid)


def _listed(actor: Actor, holder: Holder) -> dict[str, Any]:
    return {"policies": [shape(policy) for policy in services().policies.list(actor, holder, Kind.IMMUTABILITY)]}


def _created(actor: Actor, holder: Holder, body: dict[str, Any]) -> Reply:
    return as_json({"uuid": services().policies.create(actor, holder, _asked(body)).uuid}, 201)


def _got(actor: Actor, holder: Holder, uuid: str) -> dict[str, Any]:
    return shape(services().policies.get(actor, holder, Kind.IMMUTABILITY, uuid))


def _deleted(actor: Actor, holder: Holder, uuid: str) -> dict[str, str]:
    services().policies.delete(actor, holder, Kind.IMMUTABILITY, uuid)
    return {"uuid": uuid}


def _asked(body: dict[str, Any]) -> Asked:
    return Asked(body["tagPattern"], body.get("tagPatternMatches") is not False)


def shape(policy: Policy) -> dict[str, Any]:
    """A policy as Quay shows it."""
    return {
        "uuid": policy.uuid,
        "tagPattern": policy.names.pattern or "",
        "tagPatternMatches": policy.names.matches,
    }

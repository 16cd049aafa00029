"""Policies of any kind: the same five routes wherever there are some."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor
from chalicelib.domain.policies import Policy, PolicyKind
from chalicelib.domain.scopes import ORG_ADMIN, REPO_ADMIN, USER_ADMIN
from chalicelib.edge.api.framework import paths
from chalicelib.edge.api.framework.operations import TEXT, Operations, Schema, an_object
from chalicelib.edge.response import Reply, as_json
from chalicelib.services.lifecycle.policies import PolicyHolder, PolicyRequest
from chalicelib.wiring import services

UUID = an_object({"uuid": TEXT})
ONE = "/{policy_uuid}"


@dataclass(frozen=True, slots=True)
class PolicyRoutes:
    """Where policies are: the beginning of its routes, the scope that they ask for, and who holds what is there."""

    path: str
    scope: str
    # Called with what the path leaves open.
    holder: Callable[..., PolicyHolder]
    # Of the documents: which policies are listed, who has them, and whose tags they are about.
    listed: str
    name: str
    reach: str


def _organization(orgname: str) -> PolicyHolder:
    return PolicyHolder(organization=orgname)


def _repository(repository: str) -> PolicyHolder:
    return PolicyHolder(repository=RepositoryName.parse(repository))


ORGANIZATION = PolicyRoutes(
    paths.ORGANIZATION,
    ORG_ADMIN,
    _organization,
    "An organization's policies, which are for all its repositories.",
    "an organization",
    "an organization's repositories",
)
REPOSITORY = PolicyRoutes(
    paths.REPOSITORY,
    REPO_ADMIN,
    _repository,
    "A repository's own policies; those of its namespace count beside them.",
    "a repository",
    "a repository",
)
MINE = PolicyRoutes(
    "/api/v1/user",
    USER_ADMIN,
    PolicyHolder,
    "The policies of one's own namespace.",
    "one's own namespace",
    "one's own repositories",
)


@dataclass(frozen=True, slots=True)
class PolicyOperations:
    """How policies of a kind are asked for and shown."""

    kind: PolicyKind
    policy: Schema
    policies: Schema
    give: Schema
    asked: Callable[[Mapping[str, Any]], PolicyRequest]
    shape: Callable[[Policy], dict[str, Any]]
    # Of the documents: what a policy does from now on to the tags of a place, and what stays so after it.
    does: str
    stays: str


def declare(operations: Operations, manner: PolicyOperations, place: PolicyRoutes, path: str, word: str) -> None:
    """The routes of a kind of policies at a place, below a path; `word` is what Quay calls them in operations."""
    scope, holder, below = place.scope, place.holder, place.path + path

    @operations.get(
        below,
        f"list{word}Policies",
        scope=scope,
        answers={200: manner.policies},
        slash=True,
        about=place.listed,
    )
    def listed(actor: Actor, **where: str) -> dict[str, Any]:
        found = services().lifecycle.policies.list(actor, holder(**where), manner.kind)
        return {"policies": [manner.shape(policy) for policy in found]}

    @operations.post(
        below,
        f"create{word}Policy",
        scope=scope,
        body=manner.give,
        answers={201: UUID},
        slash=True,
        about=manner.does.format(place.reach),
    )
    def create(actor: Actor, body: dict[str, Any], **where: str) -> Reply:
        policy = services().lifecycle.policies.create(actor, holder(**where), manner.asked(body))
        return as_json({"uuid": policy.uuid}, 201)

    @operations.get(
        below + ONE,
        f"get{word}Policy",
        scope=scope,
        answers={200: manner.policy},
        about=f"One policy of {place.name}.",
    )
    def get(actor: Actor, policy_uuid: str, **where: str) -> dict[str, Any]:
        return manner.shape(services().lifecycle.policies.get(actor, holder(**where), manner.kind, policy_uuid))

    @operations.put(
        below + ONE,
        f"update{word}Policy",
        scope=scope,
        body=manner.give,
        answers={204: None},
        about=f"Says a policy of {place.name} anew, whole; {manner.stays}.",
    )
    def change(actor: Actor, policy_uuid: str, body: dict[str, Any], **where: str) -> None:
        services().lifecycle.policies.change(actor, holder(**where), policy_uuid, manner.asked(body))

    @operations.delete(
        below + ONE,
        f"delete{word}Policy",
        scope=scope,
        answers={200: UUID},
        about=f"Takes a policy of {place.name} away; {manner.stays}.",
    )
    def delete(actor: Actor, policy_uuid: str, **where: str) -> dict[str, str]:
        services().lifecycle.policies.delete(actor, holder(**where), manner.kind, policy_uuid)
        return {"uuid": policy_uuid}

"""Routes of policies: the same five for each kind of policy and each kind of holder."""

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
    """The place of policies: the prefix of their routes, the scope that these require, and the policies' holder."""

    path: str
    scope: str
    # Called with the path's parameters.
    holder: Callable[..., PolicyHolder]
    # For the documents: what the list returns, whose the policies are, and whose tags they apply to.
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
    "Returns an organization's policies, which apply to all its repositories.",
    "an organization",
    "an organization's repositories",
)
REPOSITORY = PolicyRoutes(
    paths.REPOSITORY,
    REPO_ADMIN,
    _repository,
    "Returns a repository's own policies; those of its namespace apply to it, too.",
    "a repository",
    "a repository",
)
MINE = PolicyRoutes(
    "/api/v1/user",
    USER_ADMIN,
    PolicyHolder,
    "Returns the policies of the user's own namespace.",
    "the user's own namespace",
    "the user's own repositories",
)


@dataclass(frozen=True, slots=True)
class PolicyOperations:
    """A kind of policies: its schemas, and how it is read from a body and written to one."""

    kind: PolicyKind
    policy: Schema
    policies: Schema
    give: Schema
    to_request: Callable[[Mapping[str, Any]], PolicyRequest]
    to_json: Callable[[Policy], dict[str, Any]]
    # For the documents: what a new policy does to the tags of a place, and what a change or removal leaves as it is.
    does: str
    stays: str


def declare(operations: Operations, policy_type: PolicyOperations, place: PolicyRoutes, path: str, word: str) -> None:
    """Declares the routes of a kind of policies at a place, below a path; `word` is Quay's, in the operation ids."""
    scope, holder, below, kind = place.scope, place.holder, place.path + path, policy_type.kind

    @operations.get(
        below,
        f"list{word}Policies",
        scope=scope,
        answers={200: policy_type.policies},
        slash=True,
        about=place.listed,
    )
    def listed(actor: Actor, **parameters: str) -> dict[str, Any]:
        policies = services().lifecycle.policies.list(actor, holder(**parameters), kind)
        return {"policies": [policy_type.to_json(policy) for policy in policies]}

    @operations.post(
        below,
        f"create{word}Policy",
        scope=scope,
        body=policy_type.give,
        answers={201: UUID},
        slash=True,
        about=policy_type.does.format(place.reach),
    )
    def create(actor: Actor, body: dict[str, Any], **parameters: str) -> Reply:
        policy = services().lifecycle.policies.create(actor, holder(**parameters), policy_type.to_request(body))
        return as_json({"uuid": policy.uuid}, 201)

    @operations.get(
        below + ONE,
        f"get{word}Policy",
        scope=scope,
        answers={200: policy_type.policy},
        about=f"Returns one policy of {place.name}.",
    )
    def get(actor: Actor, policy_uuid: str, **parameters: str) -> dict[str, Any]:
        return policy_type.to_json(services().lifecycle.policies.get(actor, holder(**parameters), kind, policy_uuid))

    @operations.put(
        below + ONE,
        f"update{word}Policy",
        scope=scope,
        body=policy_type.give,
        answers={204: None},
        about=f"Replaces a policy of {place.name}; {policy_type.stays}.",
    )
    def change(actor: Actor, policy_uuid: str, body: dict[str, Any], **parameters: str) -> None:
        services().lifecycle.policies.change(actor, holder(**parameters), policy_uuid, policy_type.to_request(body))

    @operations.delete(
        below + ONE,
        f"delete{word}Policy",
        scope=scope,
        answers={200: UUID},
        about=f"Removes a policy of {place.name}; {policy_type.stays}.",
    )
    def delete(actor: Actor, policy_uuid: str, **parameters: str) -> dict[str, str]:
        services().lifecycle.policies.delete(actor, holder(**parameters), kind, policy_uuid)
        return {"uuid": policy_uuid}

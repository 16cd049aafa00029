"""Immutability policies, which make tags of an organization or a repository immutable."""

from collections.abc import Mapping
from typing import Any

from chalicelib.domain.policies import Policy, PolicyKind
from chalicelib.edge.api.framework import policy_routes
from chalicelib.edge.api.framework.operations import FLAG, TEXT, Operations, a_list, an_object, or_null, text
from chalicelib.services.lifecycle.policies import PolicyRequest

operations = Operations(__name__, "immutability")

POLICY = an_object({"uuid": TEXT, "tagPattern": TEXT, "tagPatternMatches": FLAG})
POLICIES = an_object({"policies": a_list(POLICY)})
GIVE = an_object(
    {"tagPattern": text("A regular expression (RE2) that matches the beginning of a tag's name")},
    tagPatternMatches=or_null({**FLAG, "description": "False to select the tags that the pattern does not match"}),
)
PATH = "/immutabilitypolicy"


def policy_request(body: Mapping[str, Any]) -> PolicyRequest:
    """Returns the policy that a body asks for."""
    return PolicyRequest(body["tagPattern"], body.get("tagPatternMatches") is not False)


def policy_json(policy: Policy) -> dict[str, Any]:
    """Returns a policy as Quay shows it."""
    return {
        "uuid": policy.uuid,
        "tagPattern": policy.names.pattern or "",
        "tagPatternMatches": policy.names.matches,
    }


_OPERATIONS = policy_routes.PolicyOperations(
    PolicyKind.IMMUTABILITY,
    POLICY,
    POLICIES,
    GIVE,
    policy_request,
    policy_json,
    does="Creates a policy that makes tags of {} immutable, existing ones too.",
    stays="tags that it made immutable stay immutable",
)
for _place, _word in ((policy_routes.ORGANIZATION, "Org"), (policy_routes.REPOSITORY, "Repository")):
    policy_routes.declare(operations, _OPERATIONS, _place, PATH, _word + "Immutability")

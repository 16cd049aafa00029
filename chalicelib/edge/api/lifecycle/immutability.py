"""Immutability policies: which tags of an organization or a repository change no more once they are there."""

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
    {"tagPattern": text("A regular expression (RE2) that a tag's name begins with")},
    tagPatternMatches=or_null({**FLAG, "description": "Off: it is about tags that the pattern does not take"}),
)
PATH = "/immutabilitypolicy"


def asked(body: Mapping[str, Any]) -> PolicyRequest:
    """What a body asks for."""
    return PolicyRequest(body["tagPattern"], body.get("tagPatternMatches") is not False)


def shape(policy: Policy) -> dict[str, Any]:
    """A policy as Quay shows it."""
    return {
        "uuid": policy.uuid,
        "tagPattern": policy.names.pattern or "",
        "tagPatternMatches": policy.names.matches,
    }


_MANNER = policy_routes.PolicyOperations(
    PolicyKind.IMMUTABILITY,
    POLICY,
    POLICIES,
    GIVE,
    asked,
    shape,
    does="Lets tags of {} change no more; those that are there already too.",
    stays="tags that it had fixed stay so",
)
for _place, _word in ((policy_routes.ORGANIZATION, "Org"), (policy_routes.REPOSITORY, "Repository")):
    policy_routes.declare(operations, _MANNER, _place, PATH, _word + "Immutability")

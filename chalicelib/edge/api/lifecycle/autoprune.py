"""Auto-prune policies: of organizations, of repositories, and of one's own namespace."""

from collections.abc import Mapping
from typing import Any

from chalicelib.domain.policies import Policy, PolicyKind
from chalicelib.edge.api.framework import policy_routes
from chalicelib.edge.api.framework.operations import FLAG, TEXT, Operations, a_list, an_object, or_null, text
from chalicelib.services.lifecycle.policies import PolicyRequest

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
PATH = "/autoprunepolicy"
PLACES = (
    (policy_routes.ORGANIZATION, "Organization"),
    (policy_routes.REPOSITORY, "Repository"),
    (policy_routes.MINE, "User"),
)
# A number in a query that is longer is none that could be kept.
LONGEST = 12


def asked(body: Mapping[str, Any]) -> PolicyRequest:
    """What a body asks for."""
    matches = body.get("tagPatternMatches")
    return PolicyRequest(body.get("tagPattern"), matches is not False, body["method"], body["value"])


def shape(policy: Policy) -> dict[str, Any]:
    """A policy as Quay shows it."""
    prune = policy.prune
    return {
        "uuid": policy.uuid,
        "method": prune.method if prune else "",
        "value": prune.value if prune else 0,
        "tagPattern": policy.names.pattern,
        "tagPatternMatches": policy.names.matches,
    }


_MANNER = policy_routes.PolicyOperations(
    PolicyKind.PRUNE,
    POLICY,
    POLICIES,
    GIVE,
    asked,
    shape,
    does="Prunes the tags of {} from now on, every hour.",
    stays="tags that it pruned stay so",
)
for _place, _word in PLACES:
    policy_routes.declare(operations, _MANNER, _place, PATH, _word + "AutoPrune")

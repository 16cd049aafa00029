"""Auto-prune policies of organizations, of repositories, and of the user's own namespace."""

from collections.abc import Mapping
from typing import Any

from chalicelib.domain.policies import Policy, PolicyKind
from chalicelib.edge.api.framework import policy_routes
from chalicelib.edge.api.framework.operations import FLAG, TEXT, Operations, a_list, an_object, or_null, text
from chalicelib.services.lifecycle.policies import PolicyRequest

operations = Operations(__name__, "autoprune")

VALUE = {"type": ["integer", "string"], "description": "How many tags stay, or their largest age, as in 7d, 12h or 2w"}
POLICY = an_object(
    {"uuid": TEXT, "method": TEXT, "value": VALUE, "tagPattern": or_null(TEXT), "tagPatternMatches": FLAG}
)
POLICIES = an_object({"policies": a_list(POLICY)})
GIVE = an_object(
    {"method": text("number_of_tags or creation_date"), "value": VALUE},
    tagPattern=or_null(text("A regular expression (RE2) that matches the tags to prune; without it all are pruned")),
    tagPatternMatches=or_null({**FLAG, "description": "False to prune the tags that the pattern does not match"}),
)
PATH = "/autoprunepolicy"
PLACES = (
    (policy_routes.ORGANIZATION, "Organization"),
    (policy_routes.REPOSITORY, "Repository"),
    (policy_routes.MINE, "User"),
)
# A number in a query with at least this many digits cannot be stored.
LONGEST_NUMBER = 12


def policy_request(body: Mapping[str, Any]) -> PolicyRequest:
    """Returns the policy that a body asks for."""
    matches = body.get("tagPatternMatches")
    return PolicyRequest(body.get("tagPattern"), matches is not False, body["method"], body["value"])


def policy_json(policy: Policy) -> dict[str, Any]:
    """Returns a policy as Quay shows it."""
    prune = policy.prune
    return {
        "uuid": policy.uuid,
        "method": prune.method if prune else "",
        "value": prune.value if prune else 0,
        "tagPattern": policy.names.pattern,
        "tagPatternMatches": policy.names.matches,
    }


_OPERATIONS = policy_routes.PolicyOperations(
    PolicyKind.PRUNE,
    POLICY,
    POLICIES,
    GIVE,
    policy_request,
    policy_json,
    does="Creates a policy that prunes the tags of {} every hour.",
    stays="tags that it pruned stay pruned",
)
for _place, _word in PLACES:
    policy_routes.declare(operations, _OPERATIONS, _place, PATH, _word + "AutoPrune")

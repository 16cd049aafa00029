"""Federation: which tokens of other issuers authenticate a robot, and the claims that such a token must have.

The checks are those of https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation and stricter.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chalicelib.domain.errors import FieldInvalid, WrongCredentials

ALGORITHMS = ("RS256", "ES256")
# The greatest age of a token and the greatest difference between two clocks, in seconds.
OLDEST_S, LEEWAY_S = 3600, 30
MOST_RULES, LONGEST_ISSUER, LONGEST_TEXT = 20, 255, 512


@dataclass(frozen=True, slots=True)
class Rule:
    """A token of this issuer for this subject authenticates the robot.

    `audience` is the audience that the token must have, None for this registry's.
    """

    issuer: str
    subject: str
    audience: str | None = None

    def to_document(self) -> dict[str, str]:
        """Returns the rule as the API writes it."""
        document = {"issuer": self.issuer, "subject": self.subject}
        return document | ({"audience": self.audience} if self.audience else {})


def rules_from_text(text: str | None) -> tuple[Rule, ...]:
    """Returns the rules that a robot's row has as JSON."""
    documents = json.loads(text) if text else []
    return tuple(Rule(one["issuer"], one["subject"], one.get("audience")) for one in documents)


def parse_rules(documents: Iterable[Mapping[str, object]]) -> tuple[Rule, ...]:
    """Parses rules as the API accepts them. Raises FieldInvalid, with Quay's messages where Quay has one."""
    rules: list[Rule] = []
    for document in documents:
        issuer, subject, audience = (document.get(name) for name in ("issuer", "subject", "audience"))
        if not isinstance(issuer, str) or not isinstance(subject, str) or not issuer or not subject:
            raise FieldInvalid("", "Missing one or more required fields (issuer, subject)")
        _check_length("issuer", issuer, LONGEST_ISSUER)
        _check_length("subject", subject, LONGEST_TEXT)
        if audience is not None:
            if not isinstance(audience, str) or not audience:
                raise FieldInvalid("audience", "give the token's audience, or leave the field out")
            _check_length("audience", audience, LONGEST_TEXT)
        if any((rule.issuer, rule.subject) == (issuer, subject) for rule in rules):
            raise FieldInvalid("", f"Duplicate config (issuer: {issuer}, subject: {subject})")
        rules.append(Rule(issuer, subject, audience))
    if len(rules) > MOST_RULES:
        raise FieldInvalid("", f"a robot has at most {MOST_RULES} rules")
    return tuple(rules)


def _check_length(field: str, text: str, longest: int) -> None:
    if len(text) > longest:
        raise FieldInvalid(field, f"it has at most {longest} characters")


def matching(rules: Iterable[Rule], issuer: object, subject: object) -> Rule | None:
    """Returns the rule whose issuer and subject are exactly these, or None."""
    return next((rule for rule in rules if rule.issuer == issuer and rule.subject == subject), None)


def check_claims(claims: Mapping[str, object], audience: str, now: float) -> tuple[int, int]:
    """Returns when a token ends and when whatever is issued for it must end, if it is for `audience` and valid now.

    Both are in seconds since the epoch; the second is an hour after the token was issued, however often it is used.

    Raises WrongCredentials, whose message is for the operator's log only.
    """
    claim = claims.get("aud")
    audiences = claim if isinstance(claim, list) else [claim]
    if audience not in audiences:
        raise WrongCredentials(f"it is not for {audience}")
    issued, begins, ends = (_moment(claims, name) for name in ("iat", "nbf", "exp"))
    if ends <= now:
        raise WrongCredentials("it has expired")
    if max(issued, begins) > now + LEEWAY_S:
        raise WrongCredentials("it is not valid yet")
    if issued < now - OLDEST_S:
        raise WrongCredentials(f"it was issued more than {OLDEST_S} seconds ago")
    latest = int(issued) + OLDEST_S
    return int(min(ends, latest)), latest


def _moment(claims: Mapping[str, object], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise WrongCredentials(f"{name} is missing")
    return float(value)

"""Federation: rules by which tokens of other issuers sign in as a robot, and the exchange of such tokens."""

from typing import Any

from chalicelib.domain.errors import Unauthenticated, WrongCredentials
from chalicelib.domain.federation import LONGEST_ISSUER, LONGEST_TEXT, Rule
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import ORG_ADMIN, USER_ADMIN
from chalicelib.edge import request
from chalicelib.edge.api.accounts.robots import MINE, ONE, THEIRS, robot_name
from chalicelib.edge.api.framework.operations import TEXT, Operations, a_list, an_object, text
from chalicelib.edge.origins import client_address
from chalicelib.edge.response import Reply, as_json, challenged
from chalicelib.wiring import services

operations = Operations(__name__, "robot")
FEDERATION = ONE + "/federation"

RULE = an_object(
    {
        "issuer": text("The issuer of the token", maxLength=LONGEST_ISSUER),
        "subject": text("The subject of the token", maxLength=LONGEST_TEXT),
    },
    audience=text("The audience of the token: this registry's address without it", maxLength=LONGEST_TEXT),
)
RULES = a_list(RULE)
PUT: dict[str, Any] = {"body": RULES, "answers": {200: RULES}}


@operations.get(MINE + FEDERATION, "getUserRobotFederation", scope=USER_ADMIN, answers={200: RULES})
def get_mine(actor: Actor, robot_shortname: str) -> list[dict[str, str]]:
    """Lists the federation rules of one of the user's own robots."""
    return rules_json(services().identity.federation.rules(actor, robot_name(actor.name, robot_shortname)))


@operations.get(THEIRS + FEDERATION, "getOrgRobotFederation", scope=ORG_ADMIN, answers={200: RULES})
def get_theirs(actor: Actor, orgname: str, robot_shortname: str) -> list[dict[str, str]]:
    """Lists the federation rules of an organization's robot."""
    return rules_json(services().identity.federation.rules(actor, robot_name(orgname, robot_shortname)))


@operations.post(MINE + FEDERATION, "createUserRobotFederation", scope=USER_ADMIN, **PUT)
def put_mine(actor: Actor, robot_shortname: str, body: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Replaces the federation rules of one of the user's own robots."""
    return rules_json(services().identity.federation.put(actor, robot_name(actor.name, robot_shortname), body))


@operations.post(THEIRS + FEDERATION, "createOrgRobotFederation", scope=ORG_ADMIN, **PUT)
def put_theirs(actor: Actor, orgname: str, robot_shortname: str, body: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Replaces the federation rules of an organization's robot."""
    return rules_json(services().identity.federation.put(actor, robot_name(orgname, robot_shortname), body))


@operations.delete(MINE + FEDERATION, "deleteUserRobotFederation", scope=USER_ADMIN, answers={204: None})
def delete_mine(actor: Actor, robot_shortname: str) -> None:
    """Removes all federation rules of one of the user's own robots."""
    services().identity.federation.delete(actor, robot_name(actor.name, robot_shortname))


@operations.delete(THEIRS + FEDERATION, "deleteOrgRobotFederation", scope=ORG_ADMIN, answers={204: None})
def delete_theirs(actor: Actor, orgname: str, robot_shortname: str) -> None:
    """Removes all federation rules of an organization's robot."""
    services().identity.federation.delete(actor, robot_name(orgname, robot_shortname))


@operations.get(
    "/oauth2/federation/robot/token",
    "exchangeRobotToken",
    answers={200: an_object({"token": TEXT}), 401: an_object({"error": TEXT})},
    errors=(429,),
    is_internal=True,
)
def exchange() -> Reply:
    """Exchanges a robot's name and a token of its issuer, sent as Basic credentials, for a token of the registry."""
    try:
        name, token = request.credentials() or ("", "")
        issued = services().identity.federation.exchange(name, token, client_address(request.request()))
    except (WrongCredentials, Unauthenticated):
        challenge = challenged('Basic realm="robot federation"')
        return as_json({"error": "Could not validate robot token"}, 401, challenge)
    return as_json({"token": issued}, headers={"Cache-Control": "no-store"})


def rules_json(rules: tuple[Rule, ...]) -> list[dict[str, str]]:
    """Returns a robot's federation rules."""
    return [rule.to_document() for rule in rules]

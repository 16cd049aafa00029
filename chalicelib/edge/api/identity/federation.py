"""Federation: which tokens of other issuers are a robot, and the exchange of such a token for one of ours."""

from typing import Any

from chalicelib.domain.errors import Unauthenticated, WrongCredentials
from chalicelib.domain.federation import LONGEST_ISSUER, LONGEST_TEXT, Rule
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import ORG_ADMIN, USER_ADMIN
from chalicelib.edge import request
from chalicelib.edge.api.accounts.robots import MINE, ONE, THEIRS, there
from chalicelib.edge.api.framework.errors import TOKEN, problem
from chalicelib.edge.api.framework.operations import TEXT, Operations, a_list, an_object, text
from chalicelib.edge.origins import address_of
from chalicelib.edge.response import Reply, as_json
from chalicelib.wiring import services

operations = Operations(__name__, "robot")
FEDERATION = ONE + "/federation"

RULE = an_object(
    {
        "issuer": text("The issuer of the token", maxLength=LONGEST_ISSUER),
        "subject": text("The subject of the token", maxLength=LONGEST_TEXT),
    },
    audience=text("Whom the token is for: this registry's address, if not said", maxLength=LONGEST_TEXT),
)
RULES = a_list(RULE)
PUT: dict[str, Any] = {"body": RULES, "answers": {200: RULES}}


@operations.get(MINE + FEDERATION, "getUserRobotFederation", scope=USER_ADMIN, answers={200: RULES})
def get_mine(actor: Actor, robot_shortname: str) -> list[dict[str, str]]:
    """Which tokens of others are one of one's own robots."""
    return shape(services().identity.federation.rules(actor, there(actor.name, robot_shortname)))


@operations.get(THEIRS + FEDERATION, "getOrgRobotFederation", scope=ORG_ADMIN, answers={200: RULES})
def get_theirs(actor: Actor, orgname: str, robot_shortname: str) -> list[dict[str, str]]:
    """Which tokens of others are a robot of an organization."""
    return shape(services().identity.federation.rules(actor, there(orgname, robot_shortname)))


@operations.post(MINE + FEDERATION, "createUserRobotFederation", scope=USER_ADMIN, **PUT)
def put_mine(actor: Actor, robot_shortname: str, body: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Says which tokens of others, and no more, are one of one's own robots."""
    return shape(services().identity.federation.put(actor, there(actor.name, robot_shortname), body))


@operations.post(THEIRS + FEDERATION, "createOrgRobotFederation", scope=ORG_ADMIN, **PUT)
def put_theirs(actor: Actor, orgname: str, robot_shortname: str, body: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Says which tokens of others, and no more, are a robot of an organization."""
    return shape(services().identity.federation.put(actor, there(orgname, robot_shortname), body))


@operations.delete(MINE + FEDERATION, "deleteUserRobotFederation", scope=USER_ADMIN, answers={204: None})
def delete_mine(actor: Actor, robot_shortname: str) -> None:
    """Lets no token of others be one of one's own robots."""
    services().identity.federation.delete(actor, there(actor.name, robot_shortname))


@operations.delete(THEIRS + FEDERATION, "deleteOrgRobotFederation", scope=ORG_ADMIN, answers={204: None})
def delete_theirs(actor: Actor, orgname: str, robot_shortname: str) -> None:
    """Lets no token of others be a robot of an organization."""
    services().identity.federation.delete(actor, there(orgname, robot_shortname))


@operations.get(
    "/oauth2/federation/robot/token",
    "exchangeRobotToken",
    answers={200: an_object({"token": TEXT})},
    errors=(401, 429),
    is_internal=True,
)
def exchange() -> Reply:
    """A token to sign in to the registry with as a robot, for the robot's name and a token of its issuer by Basic."""
    try:
        name, token = request.credentials() or ("", "")
        made = services().identity.federation.exchange(name, token, address_of(request.request()))
    except (WrongCredentials, Unauthenticated):
        why = "Could not validate robot token"
        refused = problem(401, TOKEN, why, error=why)
        refused.headers["WWW-Authenticate"] = 'Basic realm="robot federation"'
        return refused
    return as_json({"token": made}, headers={"Cache-Control": "no-store"})


def shape(rules: tuple[Rule, ...]) -> list[dict[str, str]]:
    """A robot's rules."""
    return [rule.to_document() for rule in rules]

"""The usage log: listed, counted, exported."""

from typing import Any

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import ORG_ADMIN, REPO_ADMIN, SUPER_USER, USER_ADMIN
from chalicelib.domain.usage_log import UsageLogQuery
from chalicelib.edge import request
from chalicelib.edge.api.framework import paths
from chalicelib.edge.api.framework.operations import FLAG, NUMBER, TEXT, Operations, Parameter, a_list, an_object, text
from chalicelib.edge.api.framework.shapes import AVATAR, avatar, date
from chalicelib.edge.response import Reply, empty
from chalicelib.services.activity.usage_log_reader import DayCount, LogEntry, LogOwner
from chalicelib.wiring import services

operations = Operations(__name__, "logs")

ENTRY = an_object(
    {"kind": TEXT, "metadata": an_object(), "ip": TEXT, "datetime": TEXT},
    performer=an_object({"kind": TEXT, "name": TEXT, "is_robot": FLAG, "avatar": AVATAR}),
    namespace=an_object({"kind": TEXT, "name": TEXT, "avatar": AVATAR}),
)
PAGE = an_object({"start_time": TEXT, "end_time": TEXT, "logs": a_list(ENTRY)}, next_page=TEXT)
COUNTS = an_object({"aggregated": a_list(an_object({"kind": TEXT, "count": NUMBER, "datetime": TEXT}))})
EXPORT = an_object(
    callback_url=text("An https address of a public host, to which the result is sent"),
    callback_email=text("Refused: no mail is sent from here"),
)
EXPORTED = an_object({"export_id": TEXT})
DAYS = (
    Parameter("starttime", "string", "The first day, %m/%d/%Y in UTC; yesterday without it"),
    Parameter("endtime", "string", "The last day, %m/%d/%Y in UTC; today without it"),
)
NARROW = (
    Parameter("performer", "string", "Only what this account did"),
    Parameter("kind", "string", "Only records of this kind"),
)
LIST = {
    "parameters": (*DAYS, *NARROW, Parameter("next_page", "string", "Where the page before ended")),
    "answers": {200: PAGE},
}
COUNT = {"parameters": (*DAYS, *NARROW), "answers": {200: COUNTS}}
FILE = {"parameters": DAYS, "body": EXPORT, "is_body_optional": True, "answers": {200: EXPORTED}}
MINE, EVERYBODY = LogOwner(), LogOwner(everybody=True)


@operations.get(paths.REPOSITORY + "/logs", "listRepoLogs", scope=REPO_ADMIN, **LIST)
def list_repository(actor: Actor, repository: str) -> dict[str, Any]:
    """What happened in a repository, newest first."""
    return _page(actor, LogOwner(repository=RepositoryName.parse(repository)))


@operations.get("/api/v1/user/logs", "listUserLogs", scope=USER_ADMIN, **LIST)
def list_user(actor: Actor) -> dict[str, Any]:
    """What happened in one's own namespace, newest first."""
    return _page(actor, MINE)


@operations.get(paths.ORGANIZATION + "/logs", "listOrgLogs", scope=ORG_ADMIN, **LIST)
def list_organization(actor: Actor, orgname: str) -> dict[str, Any]:
    """What happened in an organization, newest first."""
    return _page(actor, LogOwner(organization=orgname))


@operations.get("/api/v1/superuser/logs", "listAllLogs", scope=SUPER_USER, is_fresh=True, **LIST)
def list_everybody(actor: Actor) -> dict[str, Any]:
    """What happened everywhere, newest first."""
    return _page(actor, EVERYBODY)


@operations.get(paths.REPOSITORY + "/aggregatelogs", "getAggregateRepoLogs", scope=REPO_ADMIN, **COUNT)
def count_repository(actor: Actor, repository: str) -> dict[str, Any]:
    """How often things happened in a repository, by day and kind."""
    return _counts(actor, LogOwner(repository=RepositoryName.parse(repository)))


@operations.get("/api/v1/user/aggregatelogs", "getAggregateUserLogs", scope=USER_ADMIN, **COUNT)
def count_user(actor: Actor) -> dict[str, Any]:
    """How often things happened in one's own namespace, by day and kind."""
    return _counts(actor, MINE)


@operations.get(paths.ORGANIZATION + "/aggregatelogs", "getAggregateOrgLogs", scope=ORG_ADMIN, **COUNT)
def count_organization(actor: Actor, orgname: str) -> dict[str, Any]:
    """How often things happened in an organization, by day and kind."""
    return _counts(actor, LogOwner(organization=orgname))


@operations.get(
    "/api/v1/superuser/aggregatelogs",
    "listAllAggregateLogs",
    scope=SUPER_USER,
    is_fresh=True,
    is_internal=True,
    **COUNT,
)
def count_everybody(actor: Actor) -> dict[str, Any]:
    """How often things happened everywhere, by day and kind."""
    return _counts(actor, EVERYBODY)


@operations.post(paths.REPOSITORY + "/exportlogs", "exportRepoLogs", scope=REPO_ADMIN, **FILE)
def export_repository(actor: Actor, repository: str, body: dict[str, Any]) -> dict[str, str]:
    """Writes what happened in a repository into a file."""
    return _export(actor, LogOwner(repository=RepositoryName.parse(repository)), body)


@operations.post("/api/v1/user/exportlogs", "exportUserLogs", scope=USER_ADMIN, **FILE)
def export_user(actor: Actor, body: dict[str, Any]) -> dict[str, str]:
    """Writes what happened in one's own namespace into a file."""
    return _export(actor, MINE, body)


@operations.post(paths.ORGANIZATION + "/exportlogs", "exportOrgLogs", scope=ORG_ADMIN, **FILE)
def export_organization(actor: Actor, orgname: str, body: dict[str, Any]) -> dict[str, str]:
    """Writes what happened in an organization into a file."""
    return _export(actor, LogOwner(organization=orgname), body)


@operations.get("/exportedlogs/{export_id}", "getExportedLogs", answers={302: None}, is_internal=True)
def exported(actor: Actor, export_id: str) -> Reply:
    """The file of an export, for whoever has its id."""
    address = services().activity.exports.address(actor, export_id)
    return empty(302, {"Location": address, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


def _page(actor: Actor, whose: LogOwner) -> dict[str, Any]:
    found = services().activity.usage_log_reader.page(actor, whose, _asked(), request.parameter("next_page"))
    shown = {
        "start_time": date(found.period.start),
        "end_time": date(found.period.end),
        "logs": [shape(entry) for entry in found.entries],
    }
    return shown | ({"next_page": found.following} if found.following else {})


def _counts(actor: Actor, whose: LogOwner) -> dict[str, Any]:
    return {
        "aggregated": [
            count_shape(count) for count in services().activity.usage_log_reader.counts(actor, whose, _asked())
        ]
    }


def _export(actor: Actor, whose: LogOwner, body: dict[str, Any]) -> dict[str, str]:
    told = body.get("callback_url"), body.get("callback_email")
    return {"export_id": services().activity.exports.begin(actor, whose, _asked(), *told)}


def _asked() -> UsageLogQuery:
    start, end = request.parameter("starttime"), request.parameter("endtime")
    return UsageLogQuery(start, end, request.parameter("performer") or "", request.parameter("kind") or "")


def shape(entry: LogEntry) -> dict[str, Any]:
    """A record of the log."""
    shown: dict[str, Any] = {
        "kind": entry.kind,
        "metadata": entry.metadata,
        "ip": entry.address,
        "datetime": date(entry.at),
    }
    if entry.performer:
        is_robot = "+" in entry.performer
        shown["performer"] = {
            "kind": "user",
            "name": entry.performer,
            "is_robot": is_robot,
            "avatar": avatar(entry.performer, "robot" if is_robot else "user"),
        }
    if entry.namespace:
        name, kind = entry.namespace
        word = "org" if kind is AccountKind.ORGANIZATION else "user"
        shown["namespace"] = {"kind": word, "name": name, "avatar": avatar(name, word)}
    return shown


def count_shape(count: DayCount) -> dict[str, Any]:
    """How often something happened on a day."""
    return {"kind": count.kind, "count": count.count, "datetime": date(count.at)}

"""The usage log: lists, counts and exports."""

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
    callback_url=text("An https URL of a public host, to which the result is sent"),
    callback_email=text("Not supported: the registry sends no mail"),
)
EXPORTED = an_object({"export_id": TEXT})
DAYS = (
    Parameter("starttime", "string", "The first day, %m/%d/%Y in UTC; yesterday without it"),
    Parameter("endtime", "string", "The last day, %m/%d/%Y in UTC; today without it"),
)
FILTERS = (
    Parameter("performer", "string", "Only records of this account"),
    Parameter("kind", "string", "Only records of this kind"),
)
LIST = {
    "parameters": (*DAYS, *FILTERS, Parameter("next_page", "string", "The token from the previous page")),
    "answers": {200: PAGE},
}
COUNT = {"parameters": (*DAYS, *FILTERS), "answers": {200: COUNTS}}
EXPORT_FILE = {
    "parameters": DAYS,
    "body": EXPORT,
    "is_body_optional": True,
    "answers": {200: EXPORTED},
    "only_reads": True,
}
MINE, EVERYBODY = LogOwner(), LogOwner(everybody=True)


@operations.get(paths.REPOSITORY + "/logs", "listRepoLogs", scope=REPO_ADMIN, **LIST)
def list_repository(actor: Actor, repository: str) -> dict[str, Any]:
    """Lists a repository's log, newest first."""
    return _page(actor, LogOwner(repository=RepositoryName.parse(repository)))


@operations.get("/api/v1/user/logs", "listUserLogs", scope=USER_ADMIN, **LIST)
def list_user(actor: Actor) -> dict[str, Any]:
    """Lists the log of the user's own namespace, newest first."""
    return _page(actor, MINE)


@operations.get(paths.ORGANIZATION + "/logs", "listOrgLogs", scope=ORG_ADMIN, **LIST)
def list_organization(actor: Actor, orgname: str) -> dict[str, Any]:
    """Lists an organization's log, newest first."""
    return _page(actor, LogOwner(organization=orgname))


@operations.get("/api/v1/superuser/logs", "listAllLogs", scope=SUPER_USER, is_fresh=True, **LIST)
def list_everybody(actor: Actor) -> dict[str, Any]:
    """Lists the log of the whole registry, newest first."""
    return _page(actor, EVERYBODY)


@operations.get(paths.REPOSITORY + "/aggregatelogs", "getAggregateRepoLogs", scope=REPO_ADMIN, **COUNT)
def count_repository(actor: Actor, repository: str) -> dict[str, Any]:
    """Counts the records of a repository's log by day and kind."""
    return _counts(actor, LogOwner(repository=RepositoryName.parse(repository)))


@operations.get("/api/v1/user/aggregatelogs", "getAggregateUserLogs", scope=USER_ADMIN, **COUNT)
def count_user(actor: Actor) -> dict[str, Any]:
    """Counts the records of the user's own namespace by day and kind."""
    return _counts(actor, MINE)


@operations.get(paths.ORGANIZATION + "/aggregatelogs", "getAggregateOrgLogs", scope=ORG_ADMIN, **COUNT)
def count_organization(actor: Actor, orgname: str) -> dict[str, Any]:
    """Counts the records of an organization's log by day and kind."""
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
    """Counts the records of the whole registry by day and kind."""
    return _counts(actor, EVERYBODY)


@operations.post(paths.REPOSITORY + "/exportlogs", "exportRepoLogs", scope=REPO_ADMIN, **EXPORT_FILE)
def export_repository(actor: Actor, repository: str, body: dict[str, Any]) -> dict[str, str]:
    """Exports a repository's log to a file."""
    return _export(actor, LogOwner(repository=RepositoryName.parse(repository)), body)


@operations.post("/api/v1/user/exportlogs", "exportUserLogs", scope=USER_ADMIN, **EXPORT_FILE)
def export_user(actor: Actor, body: dict[str, Any]) -> dict[str, str]:
    """Exports the log of the user's own namespace to a file."""
    return _export(actor, MINE, body)


@operations.post(paths.ORGANIZATION + "/exportlogs", "exportOrgLogs", scope=ORG_ADMIN, **EXPORT_FILE)
def export_organization(actor: Actor, orgname: str, body: dict[str, Any]) -> dict[str, str]:
    """Exports an organization's log to a file."""
    return _export(actor, LogOwner(organization=orgname), body)


@operations.get("/exportedlogs/{export_id}", "getExportedLogs", answers={302: None}, is_internal=True)
def exported(actor: Actor, export_id: str) -> Reply:
    """Redirects to the file of an export; its id is enough to read it."""
    address = services().activity.exports.address(actor, export_id)
    return empty(302, {"Location": address, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


def _page(actor: Actor, owner: LogOwner) -> dict[str, Any]:
    page = services().activity.usage_log_reader.page(actor, owner, _query(), request.parameter("next_page"))
    document = {
        "start_time": date(page.period.start),
        "end_time": date(page.period.end),
        "logs": [entry_json(entry) for entry in page.entries],
    }
    return document | ({"next_page": page.following} if page.following else {})


def _counts(actor: Actor, owner: LogOwner) -> dict[str, Any]:
    return {
        "aggregated": [
            count_json(count) for count in services().activity.usage_log_reader.counts(actor, owner, _query())
        ]
    }


def _export(actor: Actor, owner: LogOwner, body: dict[str, Any]) -> dict[str, str]:
    callbacks = body.get("callback_url"), body.get("callback_email")
    return {"export_id": services().activity.exports.begin(actor, owner, _query(), *callbacks)}


def _query() -> UsageLogQuery:
    start, end = request.parameter("starttime"), request.parameter("endtime")
    return UsageLogQuery(start, end, request.parameter("performer") or "", request.parameter("kind") or "")


def entry_json(entry: LogEntry) -> dict[str, Any]:
    """Returns a record of the log."""
    document: dict[str, Any] = {
        "kind": entry.kind,
        "metadata": entry.metadata,
        "ip": entry.address,
        "datetime": date(entry.at),
    }
    if entry.performer:
        is_robot = "+" in entry.performer
        document["performer"] = {
            "kind": "user",
            "name": entry.performer,
            "is_robot": is_robot,
            "avatar": avatar(entry.performer, "robot" if is_robot else "user"),
        }
    if entry.namespace:
        name, account_kind = entry.namespace
        kind = "org" if account_kind is AccountKind.ORGANIZATION else "user"
        document["namespace"] = {"kind": kind, "name": name, "avatar": avatar(name, kind)}
    return document


def count_json(count: DayCount) -> dict[str, Any]:
    """Returns the number of records of a kind on a day."""
    return {"kind": count.kind, "count": count.count, "datetime": date(count.at)}

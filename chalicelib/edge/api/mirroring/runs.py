"""Runs of mirrors: begins and cancels them, shows them, and tells beforehand what they would do."""

from typing import Any

from chalicelib.domain.mirror_runs import RunCause, RunPhase, TagChange, TagOutcome
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import REPO_ADMIN
from chalicelib.edge import request
from chalicelib.edge.api.framework import paths
from chalicelib.edge.api.framework.operations import (
    FLAG,
    NUMBER,
    TEXT,
    Operations,
    Parameter,
    a_list,
    an_object,
    one_of,
    or_null,
    text,
)
from chalicelib.edge.api.framework.shapes import iso
from chalicelib.edge.api.mirroring.mirrors import CHANGES, requested
from chalicelib.edge.api.registry.repositories import repository_name
from chalicelib.edge.response import Reply, as_json
from chalicelib.services.mirroring.run_reader import Run, RunPage, RunTag
from chalicelib.wiring import services

operations = Operations(__name__, "mirror")
MIRROR = paths.REPOSITORY + "/mirror"
RUNS = MIRROR + "/runs"
RUN = {
    "id": TEXT,
    "cause": one_of(*RunCause),
    "asked_by": or_null(TEXT),
    "status": one_of(*SyncStatus),
    "phase": one_of(*RunPhase),
    "began": TEXT,
    "ended": or_null(TEXT),
    "waits_until": or_null(text("When upstream wants to be asked again")),
    "matched": NUMBER,
    "pending": NUMBER,
    "same": NUMBER,
    "added": NUMBER,
    "changed": NUMBER,
    "removed": NUMBER,
    "skipped": NUMBER,
    "failed": NUMBER,
    "bytes": {**NUMBER, "description": "How many bytes were fetched or, in a plan, would be"},
    "reason": TEXT,
    "warning": TEXT,
}
RUN_TAG = an_object(
    {
        "tag": TEXT,
        "change": one_of(*TagChange),
        "outcome": one_of(*TagOutcome),
        "digest": or_null(TEXT),
        "bytes": NUMBER,
        "began": or_null(TEXT),
        "ended": or_null(TEXT),
        "reason": TEXT,
    }
)
SHOWN = an_object({**RUN, "tags": a_list(RUN_TAG)}, next_page=TEXT)
PROBE = an_object({"tags": a_list(TEXT), "more": FLAG})


@operations.post(MIRROR + "/sync-now", "syncNow", scope=REPO_ADMIN, answers={204: None})
def sync_now(actor: Actor, repository: str) -> None:
    """Begins a run of a mirror now, whether or not its schedule is on."""
    services().mirroring.runs.request(actor, repository_name(repository))


@operations.post(MIRROR + "/sync-cancel", "syncCancel", scope=REPO_ADMIN, answers={204: None})
def sync_cancel(actor: Actor, repository: str) -> None:
    """Ends the open run of a mirror: what it has copied stays, nothing is removed, and the schedule goes on."""
    services().mirroring.runs.cancel(actor, repository_name(repository))


@operations.post(
    MIRROR + "/test", "testRepoMirror", scope=REPO_ADMIN, body=CHANGES, is_body_optional=True, answers={200: PROBE}
)
def test(actor: Actor, repository: str, body: dict[str, Any]) -> dict[str, Any]:
    """Reaches the other registry with the mirror's settings, changed as the body says, and shows tags that match."""
    probe = services().mirroring.probes.test(actor, repository_name(repository), requested(body, is_new=False))
    return {"tags": list(probe.tags), "more": probe.more}


@operations.post(MIRROR + "/plan", "planRepoMirror", scope=REPO_ADMIN, answers={200: SHOWN, 202: SHOWN})
def plan(actor: Actor, repository: str) -> Reply:
    """Tells what a run would copy and remove now; 202 with the address of the plan if that takes longer."""
    name, room = repository_name(repository), services().mirroring
    page = room.run_reader.get(actor, name, room.plans.plan(actor, name))
    reply = as_json(_page_json(page), 202 if page.run.is_open else 200)
    reply.headers["Location"] = RUNS.replace("{repository}", str(name)) + f"/{page.run.id}"
    return reply


@operations.get(
    RUNS, "listRepoMirrorRuns", scope=REPO_ADMIN, answers={200: an_object({"runs": a_list(an_object(RUN))})}
)
def list_runs(actor: Actor, repository: str) -> dict[str, Any]:
    """Lists the last runs and plans of a mirror, newest first."""
    return {
        "runs": [_run_json(run) for run in services().mirroring.run_reader.latest(actor, repository_name(repository))]
    }


@operations.get(
    RUNS + "/{run_id}",
    "getRepoMirrorRun",
    scope=REPO_ADMIN,
    parameters=(Parameter("next_page", "string", "The token from the previous page"),),
    answers={200: SHOWN},
)
def get_run(actor: Actor, repository: str, run_id: str) -> dict[str, Any]:
    """Returns a run with a hundred of the tags that differed, also while it goes on."""
    page = services().mirroring.run_reader.get(
        actor, repository_name(repository), run_id, request.parameter("next_page")
    )
    return _page_json(page)


def _page_json(page: RunPage) -> dict[str, Any]:
    document = {**_run_json(page.run), "tags": [_tag_json(tag) for tag in page.tags]}
    return document | ({"next_page": page.following} if page.following else {})


def _run_json(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "cause": run.cause,
        "asked_by": run.asked_by or None,
        "status": run.status,
        "phase": run.phase,
        "began": iso(run.began_at),
        "ended": iso(run.ended_at),
        "waits_until": iso(run.waits_until) if run.is_open else None,
        **{name: getattr(run, name) for name in ("matched", "pending", "same", "added", "changed", "removed")},
        **{name: getattr(run, name) for name in ("skipped", "failed", "reason", "warning")},
        "bytes": run.bytes_done,
    }


def _tag_json(tag: RunTag) -> dict[str, Any]:
    return {
        "tag": tag.tag,
        "change": tag.change,
        "outcome": tag.outcome,
        "digest": str(tag.digest) if tag.digest else None,
        "bytes": tag.bytes_done,
        "began": iso(tag.began_at),
        "ended": iso(tag.ended_at),
        "reason": tag.reason,
    }

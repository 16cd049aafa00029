"""The progress of the garbage collector, for superusers."""

from dataclasses import asdict
from typing import Any

from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import SUPER_USER
from chalicelib.edge.api.framework.operations import FLAG, NUMBER, Operations, an_object, or_null
from chalicelib.services.lifecycle.garbage_progress import MOST_QUEUED
from chalicelib.wiring import services

operations = Operations(__name__, "superuser")
TURN = an_object(
    {
        "began_at": {**NUMBER, "description": "In seconds since the epoch"},
        "ended_at": or_null({**NUMBER, "description": "Null while it runs, or if Lambda ended it"}),
        "done": NUMBER,
        "later": NUMBER,
        "failed": NUMBER,
        "late_s": {**NUMBER, "description": "For how many seconds the oldest work had been due"},
    }
)
PROGRESS = an_object(
    {
        "queued": {**NUMBER, "description": f"How many items wait to be checked, counted up to {MOST_QUEUED}"},
        "running": FLAG,
        "freed_manifests": NUMBER,
        "freed_blobs": NUMBER,
        "freed_bytes": NUMBER,
        "last_ran": or_null({**NUMBER, "description": "When garbage was last freed, in ms since the epoch"}),
        "last_turn": or_null(TURN),
    }
)


@operations.get(
    "/api/v1/superuser/garbage",
    "getGarbageCollection",
    scope=SUPER_USER,
    is_fresh=True,
    answers={200: PROGRESS},
    is_internal=True,
    slash=True,
)
def get(actor: Actor) -> dict[str, Any]:
    """Returns how much garbage waits, how much was freed in all, and the last run of the job `timers`."""
    report = services().lifecycle.garbage_progress.report(actor)
    return {
        "queued": report.queued,
        "running": report.is_running,
        "freed_manifests": report.freed.manifests,
        "freed_blobs": report.freed.blobs,
        "freed_bytes": report.freed.bytes,
        "last_ran": None if report.freed_at is None else report.freed_at * 1000,
        "last_turn": asdict(report.turn) if report.turn else None,
    }

"""How far the collector of garbage has come, for superusers."""

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
        "ended_at": or_null({**NUMBER, "description": "Null while it runs, or when it was ended from outside"}),
        "done": NUMBER,
        "later": NUMBER,
        "failed": NUMBER,
        "late_s": {**NUMBER, "description": "For how long the oldest work had been due"},
    }
)
PROGRESS = an_object(
    {
        "queued": {**NUMBER, "description": f"What waits to be looked at, told up to {MOST_QUEUED}"},
        "running": FLAG,
        "freed_manifests": NUMBER,
        "freed_blobs": NUMBER,
        "freed_bytes": NUMBER,
        "last_ran": or_null({**NUMBER, "description": "When something was last freed, in milliseconds"}),
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
    """What waits to be collected, what was freed since the first day, and the clock's last turn."""
    found = services().lifecycle.garbage_progress.report(actor)
    return {
        "queued": found.queued,
        "running": found.is_running,
        "freed_manifests": found.freed.manifests,
        "freed_blobs": found.freed.blobs,
        "freed_bytes": found.freed.bytes,
        "last_ran": None if found.freed_at is None else found.freed_at * 1000,
        "last_turn": asdict(found.turn) if found.turn else None,
    }

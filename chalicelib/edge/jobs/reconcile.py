"""`reconcile`: checks a slice of the bucket every hour."""

from dataclasses import asdict
from typing import Any

from chalice.app import Blueprint, CloudWatchEvent, Rate

from chalicelib.telemetry import one_line
from chalicelib.wiring import services

blueprint = Blueprint(__name__)
# A list of a thousand keys takes a few seconds; the function must return before Lambda ends it.
RESERVE_MS = 30_000


@blueprint.schedule(Rate(1, unit=Rate.HOURS), description="Removes from the bucket what is no blob's")
def reconcile(event: CloudWatchEvent) -> dict[str, int]:
    """Checks the bucket until the time is up; the next run continues there."""
    context: Any = event.context
    with one_line("reconcile") as line:
        run = services().lifecycle.reconcile.run(lambda: context.get_remaining_time_in_millis() > RESERVE_MS)
        line.facts |= asdict(run)
    return asdict(run)

"""`timers`: every minute, the work that is due."""

from dataclasses import asdict
from typing import Any

from chalice.app import Blueprint, CloudWatchEvent, Rate

from chalicelib.telemetry import logger
from chalicelib.wiring import services

blueprint = Blueprint(__name__)


@blueprint.schedule(Rate(1, unit=Rate.MINUTES), description="Does the work that is due")
def timers(event: CloudWatchEvent) -> dict[str, Any]:
    """Does what is due until its time is up; the next turn goes on there."""
    context: Any = event.context
    turn = services().timers.run(lambda: context.get_remaining_time_in_millis() / 1000)
    told = asdict(turn)
    if not turn.is_idle:
        # `late_s` and `failed` are what an alarm looks at.
        logger.info("timers", **told)
    return told

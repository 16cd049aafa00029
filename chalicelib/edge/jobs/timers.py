"""`timers`: does the work that is due, every minute."""

from dataclasses import asdict
from typing import Any

from chalice.app import Blueprint, CloudWatchEvent, Rate

from chalicelib.telemetry import measured, one_line
from chalicelib.wiring import services

blueprint = Blueprint(__name__)
UNITS = {"FreedBytes": "Bytes", "TimersLateSeconds": "Seconds", "TimersFailed": "Count"}


@blueprint.schedule(Rate(1, unit=Rate.MINUTES), description="Does the work that is due")
def timers(event: CloudWatchEvent) -> dict[str, Any]:
    """Does the work that is due until the time is up; the next run continues there."""
    context: Any = event.context
    container = services()
    before = container.lifecycle.garbage.freed_bytes
    with one_line("timers") as line:
        turn = container.lifecycle.timers.run(lambda: context.get_remaining_time_in_millis() / 1000)
        freed = container.lifecycle.garbage.freed_bytes - before
        values = {"FreedBytes": freed, "TimersLateSeconds": turn.late_s, "TimersFailed": turn.failed}
        line.facts |= asdict(turn) | measured(container.settings.table, UNITS, **values)
        # An idle turn a minute would be most of the log.
        line.is_written = not turn.is_idle
    return asdict(turn)

"""Plays EventBridge on a laptop: it calls the app's scheduled functions, in one thread for each rule.

One more thread plays DynamoDB's TTL service (infra/local/timetolive.py) and calls the function of the table's stream.
While nothing is due, the timers and the TTL service rest; a worker that arms a timer wakes the timers
(infra/local/waking.py).

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html
"""

import argparse
import logging
import os
import pkgutil
import re
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from chalice.app import ScheduledEventConfig

from chalicelib.services.lifecycle.timers import AHEAD_S
from chalicelib.settings import settings
from chalicelib.wiring import services
from infra.local import access_log, timetolive, waking
from infra.local.queues import QueueMapping, sources

UNITS_S = {"minute": 60, "hour": 3600, "day": 86400}
# The longest that a call may take, in seconds; on AWS the function's own timeout limits it.
TURN_S = 300.0
# A person at a laptop does not want to wait a minute for a timer. A killed call holds its timers until its limit ends.
TIMERS, TIMERS_S, TIMERS_TURN_S = "timers", 1.0, 15.0
QUEUES_S = 0.1
# At rest there are so many seconds between calls.
REST_S = float(AHEAD_S)
log = logging.getLogger("clockwork")


@dataclass(frozen=True)
class ScheduleRule:
    """A scheduled function: its name, the function, the seconds between calls and the longest that a call may take.

    `rest_s` turns what the function returned into the seconds to rest after the call, unless somebody wakes the rule.
    """

    name: str
    function: Callable[[dict[str, Any], Any], object]
    every_s: float
    turn_s: float
    rest_s: Callable[[Any], float] = lambda _: 0.0


class LambdaContext:
    """The context that Lambda passes beside the event. It has no time left once the clockwork stops."""

    def __init__(self, turn_s: float, stopped: threading.Event) -> None:
        self._ends, self._stopped = time.monotonic() + turn_s, stopped

    def get_remaining_time_in_millis(self) -> int:
        """Returns the milliseconds until the call must have ended."""
        return 0 if self._stopped.is_set() else max(int((self._ends - time.monotonic()) * 1000), 0)


class Clockwork:
    """Runs every rule at once and then at its rate. It logs a call that fails and goes on with the next."""

    def __init__(self, rules: Sequence[ScheduleRule], stopped: threading.Event | None = None) -> None:
        self._rules, self._stopped = rules, stopped or threading.Event()
        self._woken = {rule.name: threading.Event() for rule in rules}

    def run(self) -> None:
        """Runs until `stop`, and then until the running calls have ended."""
        threads = [threading.Thread(target=self._repeat, args=(rule,), name=rule.name) for rule in self._rules]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def stop(self) -> None:
        """Lets the running calls end by themselves and starts no other."""
        self._stopped.set()
        for name in self._woken:
            self.wake(name)

    def wake(self, name: str) -> None:
        """Ends the rest of a rule, or prevents the rest after its running call."""
        self._woken[name].set()

    def _repeat(self, rule: ScheduleRule) -> None:
        while not self._stopped.is_set():
            begun, woken = time.monotonic(), self._woken[rule.name]
            woken.clear()
            try:
                result = rule.function(event(rule.name), LambdaContext(rule.turn_s, self._stopped))
            except Exception:
                log.exception("a call of %s failed", rule.name)
            else:
                woken.wait(rule.rest_s(result))
            self._stopped.wait(max(begun + rule.every_s - time.monotonic(), 0))


def event(name: str) -> dict[str, Any]:
    """Returns the event that a rule sends."""
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "us-east-1",
        "resources": [f"arn:aws:events:us-east-1:000000000000:rule/cloudberth-{name}"],
        "detail": {},
    }


def rules() -> list[ScheduleRule]:
    """Returns the schedules that the app declares."""
    from app import app

    found = [source for source in app.event_sources if isinstance(source, ScheduledEventConfig)]
    return [_rule(source.name, source.handler_string, str(_expression(source))) for source in found]


def _expression(source: ScheduledEventConfig) -> str:
    expression = source.schedule_expression
    return expression if isinstance(expression, str) else expression.to_string()


def _rule(name: str, handler: str, expression: str) -> ScheduleRule:
    function = pkgutil.resolve_name(handler)
    if name == TIMERS:
        return ScheduleRule(name, function, TIMERS_S, TIMERS_TURN_S, rest_after)
    return ScheduleRule(name, function, seconds(expression), TURN_S)


def rest_after(turn: Mapping[str, Any]) -> float:
    """Returns how many seconds to rest after a turn of the timers: until the next one is due, and none after work."""
    if not turn["is_all"] or any(turn[outcome] for outcome in ("done", "later", "failed", "lost")):
        return 0.0
    return REST_S if turn["next_at"] is None else max(turn["next_at"] - time.time(), 0.0)


def seconds(expression: str) -> float:
    """Returns the seconds of a rate such as `rate(5 minutes)`. Raises ValueError for cron expressions."""
    match = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    if match is None:
        raise ValueError(f"{expression} is not rate(NUMBER minutes|hours|days)")
    return float(int(match[1]) * UNITS_S[match[2]])


def time_to_live(client: Any) -> ScheduleRule:
    """Returns the rule of the TTL service, with the delay of the environment."""
    service = timetolive.service(client, float(os.environ["CLOUDBERTH_TTL_LATE_S"]))
    return ScheduleRule("ttl", service.turn, timetolive.EVERY_S, TURN_S, lambda is_idle: REST_S if is_idle else 0.0)


def queue_mappings(clockwork_stopped: threading.Event) -> list[QueueMapping]:
    """Returns the mappings of the queues that functions of the app read."""
    from botocore.session import get_session

    client, prefix = get_session().create_client("sqs"), settings().queues
    return [
        QueueMapping(client, prefix + one.queue, one, lambda turn_s: LambdaContext(turn_s, clockwork_stopped))
        for one in sources()
    ]


def main() -> None:
    """Runs until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bell", type=int, required=True, help="file descriptor of the pipe that wakes the timers")
    bell = parser.parse_args().bell
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("botocore").setLevel(logging.WARNING)
    access_log.keep(Path(os.environ["CLOUDBERTH_DATA"]))
    client = services().stores.table.connection.client
    stopped = threading.Event()
    mappings = queue_mappings(stopped)
    queues = [
        ScheduleRule(f"queue-{number}", mapping.turn, QUEUES_S, TURN_S, lambda is_idle: REST_S if is_idle else 0.0)
        for number, mapping in enumerate(mappings)
    ]
    clockwork = Clockwork([*rules(), time_to_live(client), *queues], stopped)

    def wake() -> None:
        for name in (TIMERS, *(rule.name for rule in queues)):
            clockwork.wake(name)

    waking.after_arming(client, wake)
    threading.Thread(target=waking.listen, args=(bell, wake), daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: clockwork.stop())
    clockwork.run()
    for mapping in mappings:
        mapping.close()


if __name__ == "__main__":
    main()

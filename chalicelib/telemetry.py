"""The logger: log lines in JSON, whose fields CloudWatch can query. No field ever holds a secret.

Each request and each job writes one line at its end (`one_line`), to which whoever does a part of the work adds what it
knows (`note`).
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from typing import Any

from aws_lambda_powertools import Logger

NAMESPACE = "Cloudberth"
logger = Logger(service="cloudberth")


class Line:
    """The line of a request or a job: its `facts` by name, and the calls of AWS that were counted for it."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts = dict(facts)
        self.is_written = True
        # Several threads may work on one line, and only `next` is atomic.
        self._calls = count()

    def count_call(self) -> None:
        next(self._calls)

    def counted(self) -> int:
        """Returns how many calls were counted, once."""
        return next(self._calls)


_line: ContextVar[Line | None] = ContextVar("line", default=None)


@contextmanager
def one_line(message: str, **facts: object) -> Iterator[Line]:
    """Writes one line with these and all noted facts, the milliseconds and the calls of AWS, when the block ends."""
    line, begun = Line(facts), time.perf_counter()
    token = _line.set(line)
    try:
        yield line
    finally:
        _line.reset(token)
        if line.is_written:
            took = round((time.perf_counter() - begun) * 1000)
            logger.info(message, **line.facts, ms=took, aws_calls=line.counted())


def note(**facts: object) -> None:
    """Adds facts to the line of the request or job at work; outside of one it does nothing."""
    line = _line.get()
    if line is not None:
        line.facts.update(facts)


def leave_line_out() -> None:
    """Does not write the line at work, as another one says more."""
    line = _line.get()
    if line is not None:
        line.is_written = False


def count_call(**_: object) -> None:
    """Counts a call of AWS for the line at work; botocore takes this function as a handler of its events."""
    line = _line.get()
    if line is not None:
        line.count_call()


def same_line() -> Callable[[], None]:
    """Returns what a thread calls first, so that its calls are counted for the line of whoever started it."""
    line = _line.get()

    def join() -> None:
        _line.set(line)

    return join


def measured(installation: str, units: Mapping[str, str], **values: int) -> dict[str, Any]:
    """Returns fields by which CloudWatch extracts metrics from a log line, with the installation as their dimension.

    `units` has the unit of each metric, `values` its value.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    metrics = [{"Name": name, "Unit": unit} for name, unit in units.items()]
    directive = {"Namespace": NAMESPACE, "Dimensions": [["Installation"]], "Metrics": metrics}
    metadata = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    return {"_aws": metadata, "Installation": installation, **values}

"""The access log of a stack, `logs/access.log` of its data: a line in JSON for each request and each job.

On AWS the same lines are in the log groups of the functions. `make logs` prints them for people as they come.
"""

import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any, TextIO

from infra.local.errors import StackError
from infra.local.processes import rotate

FILE = Path("logs") / "access.log"
# A log of this size becomes `access.log.1`.
LARGEST_BYTES = 64 * 1024 * 1024
# How many lines of before `make logs` prints, and how often it looks for new ones.
LINES_BEFORE, LOOK_S = 20, 0.2
# What every line has, and what is said in front.
NOT_SAID = ("level", "location", "message", "timestamp", "service", "ms", "aws_calls", "_aws")


def keep(data: Path) -> None:
    """Sends the lines of requests and jobs of this process to the access log; all others stay where they are."""
    # Imported here, since the supervisor, which only limits the log, needs none of this.
    from chalicelib.telemetry import logger

    handler = WatchedFileHandler(data / FILE, encoding="utf-8")
    handler.setFormatter(logger.registered_formatter)
    handler.addFilter(_ends_something)
    for other in (*logger.handlers, *logging.getLogger().handlers):
        other.addFilter(lambda record: not _ends_something(record))
    logger.addHandler(handler)


def _ends_something(record: logging.LogRecord) -> bool:
    """Whether a line is of `one_line`: no other counts calls."""
    return hasattr(record, "aws_calls")


def limit(data: Path) -> None:
    """Begins a new log if this one is large. The processes that write it notice that by themselves."""
    log = data / FILE
    if log.exists() and log.stat().st_size > LARGEST_BYTES:
        rotate(log)


def follow(data: Path, output: TextIO = sys.stdout) -> None:
    """Prints the last lines of the log, and further ones as they come. Raises StackError if there is no log."""
    log = data / FILE
    if not log.exists():
        raise StackError(f"There is no log in {data}: start the stack with `make run` first.")
    for line in _lines(log):
        print(in_words(line), file=output, flush=True)


def in_words(line: str) -> str:
    """Returns a line of the log for people; what is no line of ours stays as it is."""
    try:
        facts: dict[str, Any] = json.loads(line)
    except ValueError:
        return line
    moment = str(facts.get("timestamp", ""))[11:19]
    took = f"{facts.get('ms', '?'):>5} ms  {facts.get('aws_calls', '?'):>2} calls"
    if facts.get("message") != "request":
        others = {name: value for name, value in facts.items() if name not in NOT_SAID}
        return f"{moment}  {facts.get('message', ''):<5}  {took}  {json.dumps(others)}"
    actor, what = facts.get("actor") or "nobody", facts.get("repository") or " ".join(facts.get("granted", ()))
    why = f"  {facts['error']}: {facts.get('why', '')}" if "error" in facts else ""
    return f"{moment}  {facts.get('status', '?'):<5}  {took}  {facts.get('operation')}  {what}  by {actor}{why}"


def _lines(log: Path) -> Iterator[str]:
    """Yields the last lines and then each new one, also of a log that takes this one's place."""
    file = log.open("rb")
    yield from (_text(line) for line in file.readlines()[-LINES_BEFORE:])
    while True:
        place, line = file.tell(), file.readline()
        if line.endswith(b"\n"):
            yield _text(line)
            continue
        file.seek(place)
        # Between two logs there may be none for a moment.
        with suppress(FileNotFoundError):
            if not os.path.samestat(log.stat(), os.fstat(file.fileno())):
                following = log.open("rb")
                file.close()
                file = following
        time.sleep(LOOK_S)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\n")

"""Starts, watches and stops one program of the stack, which never outlives the supervisor."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1  # linux/prctl.h
DEATHS = 5
DEATHS_WITHIN_S = 30.0
LONGEST_PAUSE_S = 2.0


@dataclass(frozen=True)
class Program:
    """A command with its directory and environment; it inherits the open descriptors in `inherited`."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    inherited: tuple[int, ...] = ()


class ChildProcess:
    """A running program, which is restarted when it dies, unless it dies too often."""

    def __init__(self, program: Program, log: Path) -> None:
        self.program = program
        self.name = program.name
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._deaths: deque[float] = deque(maxlen=DEATHS)
        self._due = 0.0

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = spawn(self.program, stdout=log, stderr=subprocess.STDOUT)

    @property
    def pid(self) -> int | None:
        """Returns the process id while it runs, else None."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def watch(self) -> str | None:
        """Restarts it when its pause is over. Returns how it ended, once for each death."""
        if self._process is None:
            if time.monotonic() >= self._due:
                self.start()
            return None
        status = self._process.poll()
        if status is None:
            return None
        self._process = None
        self._deaths.append(time.monotonic())
        # 0.1, 0.2, 0.4 … s: the first restart is nearly at once, and a program that cannot start uses little CPU time.
        self._due = time.monotonic() + min(0.05 * 2 ** len(self._recent_deaths()), LONGEST_PAUSE_S)
        return in_words(status)

    def is_hopeless(self) -> bool:
        """Tells whether it died five times within thirty seconds."""
        return len(self._recent_deaths()) >= DEATHS

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def tail(self, lines: int = 12) -> str:
        """Returns the end of its log for an error message."""
        text = self.log.read_text("utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(f"  | {line}" for line in text.splitlines()[-lines:])

    def _recent_deaths(self) -> list[float]:
        horizon = time.monotonic() - DEATHS_WITHIN_S
        return [moment for moment in self._deaths if moment > horizon]


def spawn(program: Program, stdout: IO[bytes] | int, stderr: IO[bytes] | int) -> subprocess.Popen[bytes]:
    """Starts a program in a session of its own, so that Ctrl-C reaches only the supervisor, which stops it."""
    return subprocess.Popen(
        program.command,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        cwd=program.directory,
        env=dict(program.environment),
        pass_fds=program.inherited,
        start_new_session=True,
        preexec_fn=_die_with_parent(),  # noqa: PLW1509  (the supervisor has one thread)
    )


def in_words(status: int) -> str:
    """Says how a process ended, from its return code."""
    if status >= 0:
        return f"ended with status {status}"
    return f"was killed by {signal.Signals(-status).name}"


def _die_with_parent() -> Callable[[], None] | None:
    """Lets Linux kill the child when the supervisor dies, even by kill -9; elsewhere a lock detects the child."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def before_exec() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the supervisor died before prctl was called
            os._exit(1)

    return before_exec


def rotate(log: Path) -> None:
    """Keeps the log of the previous start as `<name>.1`."""
    if log.exists():
        log.replace(log.with_name(f"{log.name}.1"))

"""A local stack for one test, started like `make run`, on a free port, over a given directory."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
READY_S = 90
STOP_S = 40
# Below the kernel's ephemeral ports and those that the stack chooses for its servers.
LOWEST_PORT, HIGHEST_PORT = 10_000, 12_000


class Stack:
    """A running stack; `settings` are further CLOUDBERTH_* variables. Its output goes to `<data>/output.log`."""

    def __init__(self, data: Path, settings: Mapping[str, str] | None = None) -> None:
        self.data = data
        self.port = free_port()
        self.host = f"localhost:{self.port}"
        self.url = f"http://{self.host}"
        self.admin = "admin"
        self.password = "a-password-for-tests"
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log = data / "output.log"
        self.environment = os.environ | {
            "CLOUDBERTH_PORT": str(self.port),
            "CLOUDBERTH_DATA": str(data),
            "CLOUDBERTH_ADMIN": self.admin,
            "CLOUDBERTH_ADMIN_PASSWORD": self.password,
            **(settings or {}),
        }
        self.process = self._started()
        self.wait_until_healthy()

    def _started(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "infra.local", "run"],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def restart(self) -> None:
        """Starts the stack again over the same data, after it has ended."""
        self.process = self._started()
        self.wait_until_healthy()

    @classmethod
    def start(cls, data: Path, **settings: str) -> Stack:
        """Starts a stack, with settings as keywords."""
        return cls(data, settings)

    def account(self, *arguments: str) -> str:
        """Creates users and robots and gives roles, as `make account` does; returns its output."""
        command = [sys.executable, "-m", "infra.local", "account", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def pids(self) -> dict[str, int]:
        """Returns process ids by name: supervisor, dynoxide, weed, gateway-1 …; empty after the end."""
        try:
            return dict(json.loads((self.data / "processes.json").read_text()))
        except FileNotFoundError:
            return {}

    def kill(self, name: str) -> int:
        """Kills a process with SIGKILL and waits for its end; returns its id."""
        pid = self.pids()[name]
        os.kill(pid, signal.SIGKILL)
        if name == "supervisor":
            self.process.wait(STOP_S)
        wait_for(lambda: not is_alive(pid), f"the end of {name}")
        return pid

    def is_healthy(self) -> bool:
        """Returns whether GET /health answers 200."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def wait_until_healthy(self) -> None:
        """Waits until the stack is healthy; fails with its output if it ends or takes too long."""
        deadline = time.monotonic() + READY_S
        while not self.is_healthy():
            ended = self.process.poll() is not None
            if ended or time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(f"the stack {'ended' if ended else 'is not healthy'}: {self.output()}")
            time.sleep(0.05)

    def output(self) -> str:
        """Returns the output so far."""
        return self.log.read_text()

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Stops the stack as Ctrl-C does; returns its exit status. A second call does nothing."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(STOP_S)


def free_port() -> int:
    """Returns a free port of loopback."""
    while True:
        port = random.randrange(LOWEST_PORT, HIGHEST_PORT)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def is_alive(pid: int) -> bool:
    """Returns whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_for(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Waits until the condition holds; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)

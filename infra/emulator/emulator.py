"""Runs a separate ministack for tests and benchmarks, with its own port, directories and virtual environment."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

from infra.local.environment import LOOPBACK
from infra.local.errors import StackError
from infra.local.installation import ministack_python
from infra.local.ministack import HEALTH, program
from infra.local.processes import spawn
from infra.local.servers import answers
from infra.packaging.interpreters import RUNTIMES, interpreter

READY_S, STOP_S = 60.0, 30.0
ATTEMPTS = 3


def python_of(runtime: str = RUNTIMES[0]) -> Path:
    """Returns the Python of a virtual environment with ministack, which runs functions of `runtime` (`python3.13`).

    The environment is made once, below .venv. Raises PackageError if the machine has no such Python, and StackError if
    the environment cannot be made.
    """
    return ministack_python(runtime, interpreter(runtime))


class Emulator:
    """A running ministack that writes only below `directory`; a second one there loads the state of the first.

    Functions run with `python`, whatever their runtime. `auth` enforces IAM; `repaired=False` runs ministack as it was
    published. With `snapshot_s` it saves its state every so many seconds, and not only at `stop`. Linux kills it when
    the thread ends that started it. Raises StackError if it does not start, and what `python_of` raises.
    """

    def __init__(
        self,
        directory: Path,
        *,
        auth: bool = False,
        python: Path | None = None,
        repaired: bool = True,
        snapshot_s: float | None = None,
    ) -> None:
        self.directory = directory.absolute()
        self.auth = auth
        self.log = self.directory / "ministack.log"
        self._python = python or python_of()
        self._options = ["--repaired"] if repaired else []
        if snapshot_s is not None:
            self._options += ["--snapshot-every", str(snapshot_s)]
        for name in ("state", "objects", "tmp"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        self._start()

    @property
    def url(self) -> str:
        """Returns the one endpoint of all services: `http://127.0.0.1:…`."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        """Returns its process id."""
        return self._process.pid

    def stop(self) -> int:
        """Stops it by SIGTERM, which saves its state, and returns its exit status. A second call does nothing."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            self._kill_children()

    def kill(self) -> None:
        """Kills it as `kill -9` does; it saves nothing."""
        self._process.kill()
        self._process.wait()
        self._kill_children()

    def __enter__(self) -> Emulator:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> None:
        """Starts it on a free port, and on another if a program takes that port before ministack binds it."""
        for _ in range(ATTEMPTS):
            self.port = _free_port()
            started = program(self._python, self.port, self.directory, self._options, self._settings())
            with self.log.open("ab") as log:
                self._process = spawn(started, stdout=log, stderr=subprocess.STDOUT)
            self._has_children = True
            if self._becomes_ready():
                return
        raise StackError(f"ministack does not start; the end of its log ({self.log}):\n{self._last_words()}")

    def _becomes_ready(self) -> bool:
        """Waits until it is ready; returns False if it died first."""
        deadline = time.monotonic() + READY_S
        while self._process.poll() is None:
            if answers(self.port, HEALTH):
                return True
            if time.monotonic() > deadline:
                self.kill()
                raise StackError(f"ministack is not ready after {READY_S:.0f} s; its log is {self.log}.")
            time.sleep(0.02)
        return False

    def _settings(self) -> dict[str, str]:
        node = shutil.which("node")
        return {
            "PATH": os.pathsep.join([*([str(Path(node).parent)] if node else []), os.defpath]),
            "AUTH": str(self.auth).lower(),
            "STATE_DIR": str(self.directory / "state"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self.directory / "objects"),
            # ministack unpacks functions here and does not remove them.
            "TMPDIR": str(self.directory / "tmp"),
        }

    def _kill_children(self) -> None:
        """Kills functions and node, which may outlive ministack; they belong to the session that it leads."""
        if self._has_children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        # The process id may be reused from now on.
        self._has_children = False

    def _last_words(self) -> str:
        return "\n".join(f"  | {line}" for line in self.log.read_text("utf-8", "replace").splitlines()[-12:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port

"""Starts the servers, the seed, the gateway workers and the clockwork, restarts them, and stops them in order."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any

from infra.local import access_log, data, ports
from infra.local.environment import (
    LOOPBACK,
    ROOT,
    StackSettings,
    seed_environment,
    worker_environment,
)
from infra.local.errors import StackError
from infra.local.processes import ChildProcess, Program, in_words, rotate, spawn
from infra.local.servers import BackendServer, answers, credentials, endpoints, servers, tidy
from infra.local.waking import bell

READY_S = 60.0
# Waiting for the gateway's own limit of 30 s would make Ctrl-C seem broken; clients that are cut off retry.
STOP_S = 10.0
TICK_S = 0.1
START_ATTEMPTS = 3
CLOCKWORK = "clockwork"


class StopRequested(Exception):
    """Ctrl-C, SIGTERM or SIGHUP arrived."""


class Supervisor:
    """Runs one stack. `say` gets one line for the operator at a time."""

    def __init__(self, settings: StackSettings, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
        self.settings = settings
        self.environ = environ
        self.say = say
        self.children: list[ChildProcess] = []
        self._signals = 0
        self._base_port = 0

    def run(self, seeded: Callable[[Mapping[str, Any]], None], ready: Callable[[float], None]) -> None:
        """Runs until a signal. Calls `seeded` with the seed's report, and `ready` with the seconds that the start took.

        Raises StackError if the stack cannot start or one of its programs keeps dying. No program runs afterwards.
        """
        begun = time.monotonic()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        data.prepare(self.settings.data)
        # First the directory, so that a second start of the same stack is told from another program on its port.
        lock = data.hold(self.settings.data)
        listeners: list[socket.socket] = []
        heard, rung = bell()
        try:
            listeners = listen(self.settings.port, self.settings.workers)
            environment = self._start_servers(lock)
            seeded(self._seed(environment))
            self._start_workers(environment, listeners, (rung, lock))
            command = (sys.executable, "-m", "infra.local.clockwork", "--bell", str(heard))
            self._start_child(Program(CLOCKWORK, command, environment, ROOT, inherited=(heard, lock)))
            ready(time.monotonic() - begun)
            while True:
                self._pause()
                access_log.limit(self.settings.data)
        except StopRequested:
            self.say("Stopping …")
        finally:
            self._stop()
            for listener in listeners:
                listener.close()
            for descriptor in (heard, rung, lock):
                os.close(descriptor)

    def _start_workers(
        self, environment: Mapping[str, str], listeners: Sequence[socket.socket], shared: tuple[int, int]
    ) -> None:
        """Starts the workers of the gateway, which all inherit the clockwork's bell and the lock."""
        for number, listener in enumerate(listeners, start=1):
            options = ("--fd", str(listener.fileno()), "--bell", str(shared[0]))
            command = (sys.executable, "-m", "infra.local.gateway", *options)
            inherited = (listener.fileno(), *shared)
            self._start_child(Program(f"gateway-{number}", command, environment, ROOT, inherited))
        deadline = time.monotonic() + READY_S
        while not answers(self.settings.port, "/health"):
            if time.monotonic() > deadline:
                child = self.children[-1]
                raise StackError(
                    f"The gateway is not ready after {READY_S:.0f} s; the end of its log ({child.log}):\n{child.tail()}"
                )
            self._pause()

    def _start_servers(self, lock: int) -> dict[str, str]:
        """Starts all servers at once and returns the environment of the workers.

        If another program takes a port before a server binds it, all start again on other ports.
        """
        keys, remembered = credentials(self.settings.data), self.settings.data / ports.FILE
        for attempt in range(START_ATTEMPTS):
            self._base_port = ports.choose(remembered, fresh=attempt > 0)
            wanted = servers(self.settings, self._base_port, lock)
            started = [(server, self._start_child(server.program)) for server in wanted]
            if all(self._becomes_ready(server, child) for server, child in started):
                return worker_environment(
                    self.settings, endpoints(self._base_port, self.settings.tables), keys, self.environ
                )
            dead = next((child for _, child in started if child.pid is None), started[-1][1])
            self._stop()
            self.children.clear()
        raise StackError(f"{dead.name} does not start; the end of its log ({dead.log}):\n{dead.tail()}")

    def _becomes_ready(self, server: BackendServer, child: ChildProcess) -> bool:
        """Waits until a server is ready; returns False if it died first."""
        deadline = time.monotonic() + READY_S
        while child.pid is not None:
            if server.is_ready():
                return True
            if time.monotonic() > deadline:
                raise StackError(f"{child.name} is not ready after {READY_S:.0f} s; its log is {child.log}.")
            self._rest()
        return False

    def _start_child(self, program: Program) -> ChildProcess:
        log = self.settings.data / "logs" / f"{program.name}.log"
        rotate(log)
        child = ChildProcess(program, log)
        child.start()
        self.children.append(child)
        self._note_processes()
        return child

    def _seed(self, worker: Mapping[str, str]) -> Mapping[str, Any]:
        """Makes table, bucket, keys and first user unless they exist, and returns the seed's report."""
        command = (sys.executable, "-m", "infra.local.seed")
        program = Program("seed", command, seed_environment(self.settings, worker), ROOT)
        log = self.settings.data / "logs" / "seed.log"
        with log.open("wb") as complaints:
            process = spawn(program, stdout=subprocess.PIPE, stderr=complaints)
        deadline = time.monotonic() + READY_S
        while True:
            try:
                output, _ = process.communicate(timeout=TICK_S)
                break
            except subprocess.TimeoutExpired:
                if self._signals or time.monotonic() > deadline:
                    process.kill()
        if self._signals:
            raise StopRequested
        if process.returncode != 0:
            lines = log.read_text("utf-8", "replace").split("\n")
            why = next((line for line in reversed(lines) if line.strip()), in_words(process.returncode))
            raise StackError(f"The tables and the first user could not be made: {why} (the whole log: {log})")
        report: Mapping[str, Any] = json.loads(output)
        return report

    def _pause(self) -> None:
        """Waits a tick and restarts dead programs. Raises StopRequested on a signal, StackError if one keeps dying."""
        self._rest()
        for child in self.children:
            running = child.pid
            death = child.watch()
            if death and child.is_hopeless():
                raise StackError(
                    f"{child.name} died five times within half a minute (it {death}); the end of its log"
                    f" ({child.log}):\n{child.tail()}"
                )
            if death:
                self.say(f"{child.name} {death}; starting it again.")
            if child.pid != running:
                self._note_processes()

    def _rest(self) -> None:
        if self._signals:
            raise StopRequested
        time.sleep(TICK_S)

    def _stop(self) -> None:
        """Stops the workers before the servers that they need; a second signal kills them."""
        workers = [child for child in self.children if child.name.startswith(("gateway-", CLOCKWORK))]
        others = [child for child in self.children if child not in workers]
        signals = self._signals
        for group in (workers, others):
            for child in group:
                child.signal(signal.SIGTERM)
            deadline = time.monotonic() + STOP_S
            while any(child.pid for child in group):
                if time.monotonic() > deadline or self._signals > signals:
                    for child in group:
                        child.signal(signal.SIGKILL)
                time.sleep(TICK_S)
        (self.settings.data / "processes.json").unlink(missing_ok=True)
        if self._base_port:
            tidy(self._base_port)

    def _note_processes(self) -> None:
        """Writes the process id of each program by its name into `processes.json`, for people and tests."""
        pids = {"supervisor": os.getpid()} | {child.name: child.pid for child in self.children if child.pid}
        file = self.settings.data / "processes.json"
        draft = file.with_suffix(".draft")
        try:
            draft.write_text(json.dumps(pids) + "\n", "ascii")
            draft.replace(file)
        except OSError as error:  # a full disk must not end a stack that still serves
            self.say(f"{file} could not be written: {error.strerror}.")

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1


def listen(port: int, count: int) -> list[socket.socket]:
    """Opens a socket for each worker, all on one port. Raises StackError if another program has the port.

    Linux distributes connections evenly among sockets of one port; workers on one socket would race for them, and the
    first to wake took all 32 of a burst. Connections of a dead worker wait in its socket for the next one.
    """
    _bound(port, shared=False).close()
    shared = sys.platform == "linux"
    first = _bound(port, shared=shared)
    listeners = [first, *(_bound(port, shared=True) if shared else first.dup() for _ in range(count - 1))]
    for listener in listeners:
        listener.listen(1024)
    return listeners


def _bound(port: int, *, shared: bool) -> socket.socket:
    """Binds a socket to the port.

    Only with IPPROTO_TCP instead of 0 do asyncio and uvloop set TCP_NODELAY; without that an answer in two writes waits
    40 ms for an acknowledgement.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            why = "is taken by another program"
        else:
            why = f"cannot be listened on ({error.strerror})"
        raise StackError(
            f"Port {port} {why}; choose another with CLOUDBERTH_PORT, as in `make run CLOUDBERTH_PORT={_next(port)}`."
        ) from None
    return listener


def _next(port: int) -> int:
    return max(port + 1, 5001) if port < 65535 else 5001

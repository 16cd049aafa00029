"""Tells a worker, while it waits for another registry, whether it may go on."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.domain.mirror_runs import LOOK_S, RENEW_S
from chalicelib.services.mirroring.runs import OpenRun, Runs
from chalicelib.storage.mirroring.runs import MirrorRunStore

# A worker stops so many seconds before Lambda would end it.
RESERVE_S = 30.0


class RunStopped(Exception):
    """The run has ended, was cancelled, or its settings have changed; or another worker has the work."""


class OutOfTime(Exception):
    """The worker has no time left; another one goes on from here."""


class TagTooSlow(Exception):
    """The tag took longer than the mirror's settings allow."""


@dataclass(frozen=True, slots=True)
class PulseRules:
    """What a pulse asks, and whom.

    `left_s` returns the seconds that the worker has left, `is_open` reads whether the run goes on, `renew` renews the
    worker's lease and returns whether it still has the work. `until` is the second at which the work must be done.
    """

    left_s: Callable[[], float]
    is_open: Callable[[], bool]
    renew: Callable[[int], bool]
    clock: Callable[[], float]
    until: float = float("inf")


class Pulse:
    """Called between pieces of work, from any thread. `bytes_done` counts the bytes that were fetched."""

    def __init__(self, rules: PulseRules) -> None:
        self._rules, self._lock = rules, threading.Lock()
        self._looked = self._renewed = rules.clock()
        self.bytes_done = 0

    def __call__(self, added: int = 0) -> None:
        """Notes progress. Raises OutOfTime, TagTooSlow, RunStopped."""
        with self._lock:
            self.bytes_done += added
            now = self._rules.clock()
            if self._rules.left_s() < RESERVE_S:
                raise OutOfTime
            if now > self._rules.until:
                raise TagTooSlow
            if now - self._looked >= LOOK_S:
                self._looked = now
                if not self._rules.is_open():
                    raise RunStopped
            if now - self._renewed >= RENEW_S:
                self._renewed = now
                if not self._rules.renew(self.bytes_done):
                    raise RunStopped


def pulse_of_run(
    runs: Runs, store: MirrorRunStore, found: OpenRun, left_s: Callable[[], float], clock: Callable[[], float]
) -> Pulse:
    """Returns the pulse of a worker that has a whole run."""

    def renew(_: int) -> bool:
        return store.renew(found.run, int(clock()))

    return Pulse(PulseRules(left_s, lambda: runs.is_going_on(found), renew, clock))

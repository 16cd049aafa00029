"""Compares all tags of a mirror with those of the other registry, and has those copied that differ."""

from collections.abc import Callable

from chalicelib.domain.errors import FieldInvalid, OutgoingRefused
from chalicelib.domain.errors.upstreams import UpstreamLimited
from chalicelib.domain.ids import ulid
from chalicelib.domain.mirror_runs import (
    MOST_TRIES,
    RunPhase,
    TagChange,
    TagDifference,
    compare,
    gone,
    warning_of,
)
from chalicelib.domain.mirrors import MirrorSettings, NamePatterns, SyncStatus
from chalicelib.remote.registries import RegistryClient
from chalicelib.services.mirroring.comparing import slices, tag_names, tags_here, tags_there
from chalicelib.services.mirroring.pulse import OutOfTime, Pulse, RunStopped, pulse_of_run
from chalicelib.services.mirroring.runs import OpenRun, Runs
from chalicelib.services.mirroring.upstreams import Upstreams
from chalicelib.storage.mirroring.runs import MirrorRunRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, WriteConflict

GIVEN_UP = f"{MOST_TRIES} workers ended while they compared the tags"


class Comparisons:
    """Compares the tags of runs."""

    def __init__(self, stores: Stores, runs: Runs, upstreams: Upstreams) -> None:
        self._stores, self._runs, self._upstreams = stores, runs, upstreams
        self._store, self._mirrors, self._clock = stores.mirror_runs, stores.mirrors, stores.clock

    def compare(self, found: OpenRun, left_s: Callable[[], float]) -> None:
        """Compares the tags of a run, unless another worker is at it. A failure of upstream ends the run."""
        run = found.run
        if run.tries >= MOST_TRIES:
            self._runs.end(found, SyncStatus.FAIL, GIVEN_UP)
            return
        if not self._take(found, ulid(self._clock())):
            return
        settings = self._upstreams.settings(found.mirror)
        try:
            with self._upstreams.opened(settings.source) as registry:
                pulse = pulse_of_run(self._runs, self._store, found, left_s, self._clock)
                self._compare(found, settings, registry, pulse)
        except UpstreamLimited as limited:
            self._upstreams.wait(run, limited)
        except OutOfTime:
            self._store.put_run_back(run)
            self._runs.wake(found.repository.id, run)
        except (RunStopped, WriteConflict):
            # Another worker has the run, or it has ended.
            return
        except (FieldInvalid, OutgoingRefused) as error:
            self._runs.end(found, SyncStatus.FAIL, str(error))

    def _take(self, found: OpenRun, worker: str) -> bool:
        """Gives the run to a worker, the first time with the mirror's status; returns False if another one has it."""
        now = int(self._clock())
        if found.mirror.status is not SyncStatus.SYNC_NOW:
            return self._store.claim(found.run, worker, now)
        transaction = Transaction()
        self._store.take(transaction, found.run, worker, now)
        self._mirrors.take_run(transaction, found.mirror)
        try:
            transaction.commit()
        except WriteConflict:
            return False
        return True

    def _compare(self, found: OpenRun, settings: MirrorSettings, registry: RegistryClient, pulse: Pulse) -> None:
        """Compares slice by slice, so that another worker can go on where this one stops. Raises what a pulse does."""
        run, patterns = found.run, NamePatterns(settings.patterns)
        begun_before, listed = run.place, tag_names(registry, patterns, pulse)
        names = listed.names
        here = tags_here(self._stores.tags, found.repository.id, self._clock())
        present = {name for name in names if name <= run.place}
        differing = list[TagDifference]()
        for some in slices(names, run.place):
            there = tags_there(registry, some, pulse)
            differences = compare(there, here, completes=bool(run.completes))
            self._note(run, some[-1], len(there), differences)
            present |= there.keys()
            differing += differences
        removals = gone(here, present)
        self._store.add_tags(run.id, removals, int(self._clock()))
        run.warning = warning_of(patterns.names, present, listed.refused)
        if not run.pending and not removals:
            self._runs.end(found, SyncStatus.SUCCESS)
            return
        run.phase = RunPhase.COPYING if run.pending else RunPhase.REMOVING
        self._store.keep_comparison(run)
        self._hand_over(found, differing, begun_before)

    def _note(self, run: MirrorRunRow, place: str, matched: int, differences: list[TagDifference]) -> None:
        """Notes what a slice has shown. The only slice of a run in which nothing differs is noted with its end."""
        is_first = not run.place
        changed = sum(one.change is not TagChange.COMPLETE for one in differences)
        run.place, run.matched, run.same = place, run.matched + matched, run.same + matched - changed
        run.pending += len(differences)
        if differences or not is_first:
            self._store.add_tags(run.id, differences, int(self._clock()))
            self._store.keep_comparison(run)

    def _hand_over(self, found: OpenRun, differing: list[TagDifference], begun_before: str) -> None:
        """Sends the messages for what is left to do."""
        run = found.run
        if not run.pending:
            self._runs.wake(found.repository.id, run)
            return
        waiting = [one.tag for one in differing]
        if begun_before:
            waiting = [row.tag for row in self._store.tags(run.id) if row.change is not TagChange.REMOVE]
        self._runs.send_tags(found.repository.id, run, waiting)

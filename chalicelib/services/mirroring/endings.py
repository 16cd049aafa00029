"""Ends runs: removes the tags that upstream does not have any more, and says how it went."""

from collections.abc import Callable
from functools import partial

from chalicelib.domain.errors import ManifestUnknown, RegistryError, Unavailable
from chalicelib.domain.ids import ulid
from chalicelib.domain.mirror_runs import LONGEST_REASON, MOST_TRIES, RunPhase, TagChange, TagOutcome, status_of
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.names import Tag
from chalicelib.services.mirroring.pulse import OutOfTime, Pulse, RunStopped, pulse_of_run
from chalicelib.services.mirroring.robots import MirrorRobots
from chalicelib.services.mirroring.runs import OpenRun, Runs
from chalicelib.services.registry.tags import Tags
from chalicelib.storage.mirroring.runs import MirroredTagRow
from chalicelib.storage.stores import Stores

GIVEN_UP = f"{MOST_TRIES} workers ended while they removed the tags that are gone"
# How many failed tags the reason of a run names.
NAMED = 5


class RunEndings:
    """Ends runs whose tags are settled."""

    def __init__(self, stores: Stores, runs: Runs, robots: MirrorRobots, tags: Tags) -> None:
        self._store, self._clock, self._tags = stores.mirror_runs, stores.clock, tags
        self.runs, self.robots = runs, robots

    def end_if_settled(self, found: OpenRun, left_s: Callable[[], float]) -> None:
        """Ends a run if no tag waits any more; reads it again for that."""
        run = self._store.get(found.repository.id, found.run.id)
        if run is not None and run.phase is RunPhase.COPYING and run.pending <= 0:
            self.end(OpenRun(found.repository, found.mirror, run), left_s)

    def end(self, found: OpenRun, left_s: Callable[[], float]) -> None:
        """Removes the tags that are gone, unless a tag failed, and ends the run. Another worker may be at it."""
        run = found.run
        if not run.failed:
            if run.tries >= MOST_TRIES:
                self.runs.end(found, SyncStatus.FAIL, GIVEN_UP)
                return
            if not self._store.claim(run, ulid(self._clock()), int(self._clock())):
                return
            try:
                self._remove_gone(found, pulse_of_run(self.runs, self._store, found, left_s, self._clock))
            except OutOfTime:
                self._store.put_run_back(run)
                self.runs.wake(found.repository.id, run)
                return
            except RunStopped:
                return
            except Unavailable:
                raise
            except RegistryError as error:
                # The robot may write no more, say.
                self.runs.end(found, SyncStatus.FAIL, str(error))
                return
        self.runs.end(found, status_of(run.failed), self._failures(found) if run.failed else "")

    def _remove_gone(self, found: OpenRun, pulse: Pulse) -> None:
        """Removes tags as the mirror's robot; they stay in the Time Machine. Raises what the pulse does."""
        name = found.repository.name
        for row in self._store.tags(found.run.id):
            if row.change is TagChange.REMOVE and not row.outcome.is_settled:
                pulse()
                actor = self.robots.actor(found.mirror.robot_id, found.repository)
                self._remove(found, row, partial(self._tags.delete_granted, actor, name))

    def _remove(self, found: OpenRun, row: MirroredTagRow, delete: Callable[[Tag], None]) -> None:
        row.outcome, row.ended_at = TagOutcome.DONE, int(self._clock())
        try:
            delete(Tag(row.tag))
        except ManifestUnknown:
            # Somebody else removed it, or this run did before a worker died: it is counted now.
            pass
        except Unavailable:
            raise
        except RegistryError as error:
            row.outcome, row.reason = TagOutcome.FAILED, str(error)[:LONGEST_REASON]
        self._store.settle_removal(found.run, row)

    def _failures(self, found: OpenRun) -> str:
        failed = [tag for tag in self._store.tags(found.run.id) if tag.outcome is TagOutcome.FAILED]
        first = "; ".join(f"{tag.tag}: {tag.reason}" for tag in failed[:NAMED])
        more = f"; and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
        return f"PARTIAL SYNC, {len(failed)} of {found.run.matched} tags failed: {first}{more}"

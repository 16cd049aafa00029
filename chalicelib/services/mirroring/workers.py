"""Does the work of a run that a message names. A message may come twice, late, or not at all: the rows decide."""

from collections.abc import Callable, Mapping

from chalicelib.domain.mirror_runs import RunCause, RunPhase
from chalicelib.services.mirroring.comparisons import Comparisons
from chalicelib.services.mirroring.endings import RunEndings
from chalicelib.services.mirroring.plans import Plans
from chalicelib.services.mirroring.runs import Runs
from chalicelib.services.mirroring.tag_workers import TagWorkers
from chalicelib.telemetry import note


class MirrorWorkers:
    """Works on runs of mirrors."""

    def __init__(
        self, runs: Runs, comparisons: Comparisons, tags: TagWorkers, endings: RunEndings, plans: Plans
    ) -> None:
        self._runs, self._comparisons, self._tags = runs, comparisons, tags
        self._endings, self._plans = endings, plans

    def work(self, message: Mapping[str, str], left_s: Callable[[], float]) -> None:
        """Does the work that a message names, or nothing if it is done; `left_s` returns the seconds that are left.

        Raises KeyError for a message that names no run, Unavailable if the work has to be done again.
        """
        note(repository_id=message["repository"], run=message["run"], tag=message.get("tag"))
        found = self._runs.load(message["repository"], message["run"])
        if found is None:
            return
        if found.run.cause is RunCause.PLAN:
            self._plans.work(found, left_s)
        elif "tag" in message:
            self._tags.copy(found, message["tag"], left_s)
        elif found.run.phase is RunPhase.COMPARING:
            self._comparisons.compare(found, left_s)
        elif found.run.pending <= 0:
            self._endings.end(found, left_s)

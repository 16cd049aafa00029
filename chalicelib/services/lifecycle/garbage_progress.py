"""Reports the progress of the garbage collector to superusers."""

from dataclasses import dataclass

from chalicelib.domain.permissions import Actor
from chalicelib.domain.timers import GARBAGE
from chalicelib.services.security.access import Access
from chalicelib.storage.lifecycle.garbage import Freed
from chalicelib.storage.stores import Stores

# Due timers are counted up to this number.
MOST_QUEUED = 1000
# Longer than any turn may take, in seconds: a turn that has not ended by then was killed.
LONGEST_TURN_S = 900


@dataclass(frozen=True, slots=True)
class LastTurn:
    """The last turn in which a timer of any kind was due.

    Times are seconds since the epoch; `ended_at` is None if the turn has not ended. `late_s` is how many seconds ago
    the oldest timer was due.
    """

    began_at: int
    ended_at: int | None
    done: int
    later: int
    failed: int
    late_s: int


@dataclass(frozen=True, slots=True)
class CollectorProgress:
    """How many targets wait to be collected (at most MOST_QUEUED), whether a turn runs, and what was freed so far.

    `freed_at` is when something was last freed, in seconds since the epoch.
    """

    queued: int
    is_running: bool
    freed: Freed
    freed_at: int | None
    turn: LastTurn | None


class GarbageProgress:
    """Reports what the collector does."""

    def __init__(self, access: Access, stores: Stores) -> None:
        self._access, self._garbage, self._timers, self._clock = access, stores.garbage, stores.timers, stores.clock

    def report(self, actor: Actor) -> CollectorProgress:
        """Returns the progress. Raises Unauthenticated, Denied."""
        self._access.superuser(actor)
        now, total, row = int(self._clock()), self._garbage.total(), self._timers.turn()
        turn = None
        if row is not None:
            ended_at = None if row.is_running else row.ended_at
            turn = LastTurn(row.began_at, ended_at, row.done, row.later, row.failed, row.late_s)
        return CollectorProgress(
            self._timers.count(GARBAGE, now, MOST_QUEUED),
            row is not None and row.is_running and row.began_at > now - LONGEST_TURN_S,
            Freed(total.manifests, total.blobs, total.bytes),
            total.last_at or None,
            turn,
        )

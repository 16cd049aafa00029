"""Progress: how far the collector has come, for superusers."""

from dataclasses import dataclass

from chalicelib.domain.permissions import Actor
from chalicelib.domain.timers import GARBAGE
from chalicelib.services.security.access import Access
from chalicelib.storage.lifecycle.garbage import Freed
from chalicelib.storage.stores import Stores

# More than so many things that wait are not counted.
MOST_QUEUED = 1000
# Longer than any turn may take, in seconds: one that has not ended since was ended from outside.
LONGEST_TURN_S = 900


@dataclass(frozen=True, slots=True)
class LastTurn:
    """The last turn of the clock in which something was due, whatever kind of work it was.

    Times are seconds since the epoch, `ended_at` None where it has not ended; `late_s` is for how long the oldest had
    been due.
    """

    began_at: int
    ended_at: int | None
    done: int
    later: int
    failed: int
    late_s: int


@dataclass(frozen=True, slots=True)
class CollectorProgress:
    """How many things wait to be collected, whether some are being now, what was freed so far and when it was last.

    `queued` is told up to MOST_QUEUED.
    """

    queued: int
    is_running: bool
    freed: Freed
    freed_at: int | None
    turn: LastTurn | None


class GarbageProgress:
    """What the collector does."""

    def __init__(self, access: Access, stores: Stores) -> None:
        self._access, self._garbage, self._timers, self._clock = access, stores.garbage, stores.timers, stores.clock

    def report(self, actor: Actor) -> CollectorProgress:
        """How far it has come. Raises Unauthenticated, Denied."""
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

"""Runs due timers: hands each at least once to the service that owns its kind.

A turn first moves a timer past its own end, so that no other turn takes it meanwhile and a turn that dies leaves it due
again. Then it has the work done, and then it removes the timer. If the timer is armed again in between, it stays, and
its work is done again.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chalicelib.domain.timers import HasTime, Later, Work, pause_s
from chalicelib.storage import keys
from chalicelib.storage.timers import TimerRow, TimerStore, TurnRow
from chalicelib.telemetry import logger

# How many timers one query reads. A shard with more is read again after all the others.
PAGE = 25
# A turn ends when only so many seconds are left, before Lambda kills the function.
LEFT_S = 10.0


@dataclass(slots=True)
class TimerTurn:
    """Counts the timers of one turn: done, to be continued later, failed, lost to another turn.

    `is_all` is whether all due timers were taken, `late_s` how many seconds the oldest was overdue, `began_at` the
    second at which the first was taken.
    """

    done: int = 0
    later: int = 0
    failed: int = 0
    lost: int = 0
    late_s: int = 0
    is_all: bool = False
    began_at: int | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing was due."""
        return not (self.done or self.later or self.failed or self.lost)


class Timers:
    """Runs due timers. `owners` has the function that does the work of each kind; other kinds are not read."""

    def __init__(self, store: TimerStore, owners: Mapping[str, Work], clock: Callable[[], float] = time.time) -> None:
        self._store, self._owners, self._clock = store, owners, clock

    def run(self, left_s: Callable[[], float]) -> TimerTurn:
        """Runs timers until none is due or the time is up; `left_s` returns how many seconds are left."""
        turn = TimerTurn()
        partitions = [keys.due_shard(kind, shard) for shard in range(keys.SHARDS) for kind in self._owners]
        while partitions:
            partitions = [partition for partition in partitions if self._run_page(partition, turn, left_s)]
            if left_s() <= LEFT_S:
                break
        turn.is_all = not partitions
        if turn.began_at is not None:
            ended = TurnRow.under(keys.turn(), began_at=turn.began_at, ended_at=int(self._clock()))
            ended.done, ended.later, ended.failed, ended.late_s = turn.done, turn.later, turn.failed, turn.late_s
            self._store.note(ended)
        return turn

    def _run_page(self, partition: str, turn: TimerTurn, left_s: Callable[[], float]) -> bool:
        """Runs a page of the timers that are due in a partition; returns whether there may be more."""

        def has_time() -> bool:
            return left_s() > LEFT_S

        rows = list(self._store.due(partition, int(self._clock()), PAGE))
        lost_before = turn.lost
        for row in rows:
            if not has_time():
                return True
            self._take(row, turn, left_s(), has_time)
        # If all of a page were lost, the index lags or another turn takes them.
        return len(rows) == PAGE and turn.lost - lost_before < PAGE

    def _take(self, row: TimerRow, turn: TimerTurn, left_s: float, has_time: HasTime) -> None:
        """Claims a timer and has its work done. An exception of the work is logged and does not stop other timers."""
        work, now = row.work, self._clock()
        if not self._store.move(row, int(now + left_s) + 1, row.place, row.tries + 1):
            turn.lost += 1
            return
        if turn.began_at is None:
            turn.began_at = int(now)
            self._store.note(TurnRow.under(keys.turn(), began_at=turn.began_at))
        turn.late_s = max(turn.late_s, int(now) - work.due_at)
        try:
            later = self._owners[work.kind](work, has_time)
        except Exception:  # noqa: BLE001 - whatever it is, the timer is tried again, and the others run
            logger.exception("timer failed", kind=work.kind, target=work.target, tries=row.tries)
            turn.failed += 1
            self._store.move(row, int(self._clock()) + pause_s(row.tries), row.place, row.tries)
            return
        self._settle(row, turn, later)

    def _settle(self, row: TimerRow, turn: TimerTurn, later: Later | None) -> None:
        if later is None:
            turn.done += self._store.end(row)
        else:
            turn.later += self._store.move(row, later.at, later.place, 0)

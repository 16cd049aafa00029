"""Timers: what is due is handed to the service that owns its kind, at least once.

A turn first moves a timer past its own end, so that no other turn takes it meanwhile and one that dies leaves it due
again; then has the work done; then removes the timer. Whoever arms it anew in between wins: its work is done again.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chalicelib.domain.timers import HasTime, Later, Work, pause_s
from chalicelib.storage import keys
from chalicelib.storage.timers import TimerRow, TimerStore, TurnRow
from chalicelib.telemetry import logger

# What one query asks for. A shard that has more comes round again, after all the others.
PAGE = 25
# A function must end by itself before it is ended.
LEFT_S = 10.0


@dataclass(slots=True)
class TimerTurn:
    """One turn: timers whose work is done, is to go on later, failed, or was another's; whether all due ones were met.

    `late_s` is for how long the oldest had been due, `began_at` the second of the first that was taken.
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
    """The runner of due timers. `owners` gives for each kind who does its work; a kind without one is not even read."""

    def __init__(self, store: TimerStore, owners: Mapping[str, Work], clock: Callable[[], float] = time.time) -> None:
        self._store, self._owners, self._clock = store, owners, clock

    def run(self, left_s: Callable[[], float]) -> TimerTurn:
        """Does what is due until nothing is or the time is up: `left_s` tells how many seconds are left."""
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
        """Does some of what is due in a partition; whether there may be more."""

        def has_time() -> bool:
            return left_s() > LEFT_S

        found = list(self._store.due(partition, int(self._clock()), PAGE))
        lost_before = turn.lost
        for row in found:
            if not has_time():
                return True
            self._take(row, turn, left_s(), has_time)
        # A page of which all were lost is an index that lags, or somebody else's.
        return len(found) == PAGE and turn.lost - lost_before < PAGE

    def _take(self, row: TimerRow, turn: TimerTurn, left_s: float, has_time: HasTime) -> None:
        """Claims a timer and has its work done. What a worker raises is logged, and costs no other timer its turn."""
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
        except Exception:  # noqa: BLE001 - whatever it is, it is tried again, and the others go on
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

"""Runs due timers: hands each at least once to the service that owns its kind.

A turn first moves a timer past its own end, so that no other turn takes it meanwhile and a turn that dies leaves it due
again. Then it has the work done, and then it removes the timer. If the timer is armed again in between, it stays, and
its work is done again.

The timers of all kinds are read together, the oldest of each shard first, and one of each kind is run in turn. If a
shard has more than a page, its most frequent kind crowds it, and the turn looks past that kind for the others, so that
no kind waits for another's flood.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest

from chalicelib.domain.timers import HasTime, Later, Work, pause_s
from chalicelib.storage import keys
from chalicelib.storage.timers import TimerRow, TimerStore, TurnRow
from chalicelib.telemetry import logger

# How many timers one query reads. A shard with more is read again after all the others.
PAGE = 25
# How many calls a turn makes at most to look past a kind that crowds a shard. Each reads past some 2,000 timers.
LOOKS = 32
# How many seconds a piece of work has while others wait.
SLICE_S = 10
# A turn also reads which timers will be due within so many seconds, so that its caller knows how long it may rest.
AHEAD_S = 5
# A turn ends when only so many seconds are left, before Lambda kills the function.
LEFT_S = 10.0


@dataclass(slots=True)
class TimerTurn:
    """Counts the timers of one turn: done, to be continued later, failed, lost to another turn.

    `is_all` is whether all due timers were taken, `late_s` how many seconds the oldest was overdue, `began_at` the
    second at which the first was taken. `next_at` is the second at which the next timer is due, None if none is due
    within AHEAD_S.
    """

    done: int = 0
    later: int = 0
    failed: int = 0
    lost: int = 0
    late_s: int = 0
    is_all: bool = False
    began_at: int | None = None
    next_at: int | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing was due."""
        return not (self.done or self.later or self.failed or self.lost)


@dataclass(slots=True)
class ShardPage:
    """Due timers of a shard, and whether it may have more."""

    rows: list[TimerRow]
    may_be_more: bool


def in_turns(rows: Iterable[TimerRow]) -> list[TimerRow]:
    """Orders timers so that one of each kind is followed by the next of each kind, the oldest of each first."""
    by_kind: dict[str, list[TimerRow]] = {}
    for row in sorted(rows, key=lambda row: row.due_at):
        by_kind.setdefault(row.kind, []).append(row)
    return [row for one_each in zip_longest(*by_kind.values()) for row in one_each if row is not None]


class Timers:
    """Runs due timers. `owners` has the function that does the work of each kind; other kinds are left alone."""

    def __init__(self, store: TimerStore, owners: Mapping[str, Work], clock: Callable[[], float] = time.time) -> None:
        self._store, self._owners, self._clock = store, owners, clock

    def run(self, left_s: Callable[[], float]) -> TimerTurn:
        """Runs timers until none is due or the time is up; `left_s` returns how many seconds are left."""
        turn = TimerTurn()
        shards, read = keys.due_timers(), self._read_past_the_crowd
        while shards and left_s() > LEFT_S:
            pages = {shard: read(shard, turn) for shard in shards}
            waiting = deque(in_turns(row for page in pages.values() for row in page.rows))
            taken, cut_short = self._run_all(waiting, turn, left_s)
            # If all of a page were lost, the index lags or another turn takes them.
            more = {shard for shard in taken if pages[shard].may_be_more} | cut_short | {row.due for row in waiting}
            shards = [shard for shard in shards if shard in more]
            # What lies behind a crowd was found the first time; the next turn looks again.
            read = self._read
        turn.is_all = not shards
        if turn.began_at is not None:
            ended = TurnRow.under(keys.turn(), began_at=turn.began_at, ended_at=int(self._clock()))
            ended.done, ended.later, ended.failed, ended.late_s = turn.done, turn.later, turn.failed, turn.late_s
            self._store.note(ended)
        return turn

    def _read(self, shard: str, turn: TimerTurn) -> ShardPage:
        """Returns the oldest due timers of a shard, and notes in the turn when the next timer is due."""
        now = int(self._clock())
        rows, may_be_more = self._store.due(shard, self._owners, now + AHEAD_S, PAGE)
        due = [row for row in rows if row.due_at <= now]
        if len(due) == len(rows):
            return ShardPage(due, may_be_more)
        following = rows[len(due)].due_at
        turn.next_at = following if turn.next_at is None else min(turn.next_at, following)
        return ShardPage(due, may_be_more=False)

    def _read_past_the_crowd(self, shard: str, turn: TimerTurn) -> ShardPage:
        """Reads a shard; if it has more than a page, adds timers of all kinds but the page's most frequent one."""
        page = self._read(shard, turn)
        if page.may_be_more:
            ((crowd, _),) = Counter(row.kind for row in page.rows).most_common(1)
            others = self._others(shard, [kind for kind in self._owners if kind != crowd])
            page.rows = list({row.key: row for row in [*page.rows, *others]}.values())
        return page

    def _others(self, shard: str, kinds: list[str]) -> list[TimerRow]:
        """Returns up to a page of due timers of each kind.

        Looks from the newest on, as the calls may not suffice and what was due before was found by an earlier turn.
        """
        oldest: dict[str, deque[TimerRow]] = {kind: deque(maxlen=PAGE) for kind in kinds}
        for row in self._store.newest_due(shard, kinds, int(self._clock()), LOOKS) if kinds else ():
            oldest[row.kind].appendleft(row)
        return [row for rows in oldest.values() for row in rows]

    def _run_all(
        self, waiting: deque[TimerRow], turn: TimerTurn, left_s: Callable[[], float]
    ) -> tuple[set[str], set[str]]:
        """Runs timers until none waits or the time is up. Work for which others wait has no time left after SLICE_S.

        Returns the shards of the timers that no other turn had taken, and of those whose work was cut short.
        """
        taken, cut_short = set(), set()
        while waiting and left_s() > LEFT_S:
            row, ends = waiting.popleft(), self._clock() + SLICE_S

            def has_time(ends: float = ends) -> bool:
                return left_s() > LEFT_S and (not waiting or self._clock() < ends)

            if self._take(row, turn, left_s(), has_time):
                taken.add(row.due)
                if ends <= self._clock() >= row.due_at:
                    cut_short.add(row.due)
        return taken, cut_short

    def _take(self, row: TimerRow, turn: TimerTurn, left_s: float, has_time: HasTime) -> bool:
        """Claims a timer and has its work done; returns False if another turn had taken it.

        An exception of the work is logged and does not stop other timers.
        """
        work, now = row.work, self._clock()
        if not self._store.move(row, int(now + left_s) + 1, row.place, row.tries + 1):
            turn.lost += 1
            return False
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
        else:
            self._settle(row, turn, later)
        return True

    def _settle(self, row: TimerRow, turn: TimerTurn, later: Later | None) -> None:
        if later is None:
            turn.done += self._store.end(row)
        else:
            turn.later += self._store.move(row, later.at, later.place, 0)

"""Timers: what kinds of work fall due, and what a worker says of it."""

from collections.abc import Callable
from dataclasses import dataclass

GARBAGE, EXPIRY = "garbage", "expiry"
# What a deleted namespace leaves, what a new name is still to be written to, and a usage log to be written into a file.
PURGE, RENAME, EXPORT = "purge", "rename", "export"
# Limits of a namespace that warn; the target is its id.
QUOTA = "quota"
# Tags that policies take away, every hour, and those that they let change no more, once.
PRUNE, IMMUTABILITY = "prune", "immutability"
# A Time Machine's window was made shorter: what died before ends sooner. The target is the namespace.
WINDOW = "window"
# Pulls that are counted; the target is their repository and hour.
PULLS = "pulls"
# Every request that began before something is over so many seconds after it.
SETTLED_S = 60
# What a deleted repository holds is taken away; the target is its id.
PURGE_REPOSITORY = "purge_repository"
# Work that failed is tried again after so many seconds, twice as many each time, and at least once an hour.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 15, 3600


@dataclass(frozen=True, slots=True)
class Due:
    """Work that is due: of what kind, on what, since when.

    `place` is where an earlier turn said to go on, in its owner's own words, empty at first. `tries` counts the turns
    since then that came to nothing.
    """

    kind: str
    target: str
    due_at: int
    place: str = ""
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Later:
    """What a worker answers whose work is not finished: go on at a time, in seconds since the epoch, from a place."""

    at: int
    place: str = ""


# Whether there is still time to go on with a piece of work.
HasTime = Callable[[], bool]
# Does a piece of work, or some of it; None when it is finished. It may be called again for work that was done.
Work = Callable[[Due, HasTime], Later | None]


def pause_s(tries: int) -> int:
    """Seconds from a failure to the next turn; `tries` counts from 1."""
    return min(FIRST_PAUSE_S << min(tries - 1, 16), LONGEST_PAUSE_S)

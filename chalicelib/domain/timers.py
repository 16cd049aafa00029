"""Timers: the kinds of work that fall due, and what the code that does it returns."""

from collections.abc import Callable
from dataclasses import dataclass

GARBAGE, EXPIRY = "garbage", "expiry"
# PURGE removes what a deleted namespace leaves, RENAME writes a new name into all rows, EXPORT writes a log's file.
PURGE, RENAME, EXPORT = "purge", "rename", "export"
# Checks the warning limits of a namespace; the target is its id.
QUOTA = "quota"
# PRUNE prunes tags by policy every hour; IMMUTABILITY makes existing tags immutable once.
PRUNE, IMMUTABILITY = "prune", "immutability"
# After a Time Machine's window became shorter, moves the ends of deleted content; the target is the namespace.
WINDOW = "window"
# Counts pulls; the target is a repository and an hour.
PULLS = "pulls"
# Every request that began before a change has ended so many seconds after the change.
SETTLED_S = 60
# Begins the next run of a mirror, or looks after the one that is open; the target is the repository's id.
MIRROR = "mirror"
# Begins the next discovery of an organization's mirror, or looks after what a worker, a cancel or a removal left; the
# target is the organization's id.
ORGANIZATION_MIRROR = "org_mirror"
# Removes the roles of the keeper of a proxy cache that is gone; the target is the keeper's account id.
PROXY_CACHE = "proxy_cache"
# Removes the content of a deleted repository; the target is its id.
PURGE_REPOSITORY = "purge_repository"
# Work that failed is retried after so many seconds, twice as many each time, and at least once an hour.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 15, 3600


@dataclass(frozen=True, slots=True)
class Due:
    """Work that is due since `due_at`, in seconds since the epoch.

    `place` is where to continue, as an earlier turn returned it in a format of its own; it is empty at first. `tries`
    counts the failed turns since then.
    """

    kind: str
    target: str
    due_at: int
    place: str = ""
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Later:
    """Returned for unfinished work: continue at a time, in seconds since the epoch, from a place."""

    at: int
    place: str = ""


# Whether there is still time to continue the work.
HasTime = Callable[[], bool]
# Does the work or a part of it; returns None when it is finished. It may be called again for work that is done.
Work = Callable[[Due, HasTime], Later | None]


def pause_s(tries: int) -> int:
    """Returns the seconds from a failure to the next turn; `tries` counts from 1."""
    return min(FIRST_PAUSE_S << min(tries - 1, 16), LONGEST_PAUSE_S)

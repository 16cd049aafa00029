"""Mirrored repositories: what is mirrored from where, when the next run begins, and which tags it takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Protocol

WILDCARDS = frozenset("*?[")
EXCLUDES = "!"
# Values of GOARCH by which an index may be filtered: those that Quay knows, and the others that images are made for.
ARCHITECTURES = (
    "amd64", "arm64", "ppc64le", "s390x",
    "386", "arm", "loong64", "mips64le", "riscv64",
)  # fmt: skip
# A failed run is tried again after so many seconds, and then at the next start of the schedule.
RETRY_PAUSES_S = (60, 300, 900)


class SyncStatus(StrEnum):
    """Quay's `sync_status` of a mirror. SYNC_NOW: a run was asked for, and no worker has taken it yet."""

    NEVER_RUN = "NEVER_RUN"
    SUCCESS = "SUCCESS"
    SYNCING = "SYNCING"
    SYNC_NOW = "SYNC_NOW"
    FAIL = "FAIL"
    CANCEL = "CANCEL"

    @property
    def is_running(self) -> bool:
        """Whether a run is open."""
        return self in (SyncStatus.SYNCING, SyncStatus.SYNC_NOW)


@dataclass(frozen=True, slots=True)
class MirrorSource:
    """Where a mirror copies from, and how it gets there. `repr` shows no secret."""

    # As the user typed it: host[:port]/path.
    reference: str
    username: str = ""
    password: str = ""
    verify_tls: bool = True
    http_proxy: str = ""
    https_proxy: str = ""
    no_proxy: str = ""

    def __repr__(self) -> str:
        return f"MirrorSource({self.reference!r})"


@dataclass(frozen=True, slots=True)
class MirrorSettings:
    """The settings of a mirrored repository. Times are in seconds, since the epoch for `start_at`.

    An `interval_s` of 0 means that only the first start is scheduled. `timeout_s` is the longest time for one tag.
    Without `architectures` an index is copied whole. `unsigned_images` is kept for Quay's clients and has no effect.
    """

    source: MirrorSource
    patterns: tuple[str, ...]
    interval_s: int
    start_at: int
    timeout_s: int
    is_enabled: bool = True
    architectures: tuple[str, ...] = ()
    unsigned_images: bool = False


class Schedule(Protocol):
    """When runs begin, as settings and rows have it."""

    @property
    def is_enabled(self) -> int:
        """Whether runs begin by the schedule at all."""

    @property
    def start_at(self) -> int:
        """The first start, in seconds since the epoch."""

    @property
    def interval_s(self) -> int:
        """The seconds from one start to the next; 0 for no next one."""


def next_start(settings: Schedule, now: float) -> int | None:
    """Returns when the schedule begins a run after `now`, in seconds since the epoch; None for never."""
    if not settings.is_enabled:
        return None
    if settings.start_at > now:
        return settings.start_at
    if settings.interval_s == 0:
        return None
    passed = int(now - settings.start_at) // settings.interval_s
    return settings.start_at + (passed + 1) * settings.interval_s


def due_start(settings: Schedule, last_start: float | None, now: float) -> int | None:
    """Returns when the run after the last one is due: at once where its start has passed; None for never.

    `last_start` is when the last run began, in seconds since the epoch, None before the first one.
    """
    start = next_start(settings, settings.start_at - 1 if last_start is None else last_start)
    return None if start is None else max(start, int(now))


def retry_at(tries: int, now: float) -> int | None:
    """Returns when a run that failed for the `tries`th time in a row is tried again; None: not before its schedule."""
    return int(now) + RETRY_PAUSES_S[tries - 1] if tries <= len(RETRY_PAUSES_S) else None


class NamePatterns:
    """The tags or repositories that a mirror takes: those that match a pattern, but none that matches one after `!`.

    Patterns are those of Python's fnmatch, as Quay's are: `*`, `?`, `[abc]`, `[!abc]`. Letters keep their case. Where
    all patterns exclude, every other name is taken.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._excluded = [pattern.removeprefix(EXCLUDES) for pattern in patterns if pattern.startswith(EXCLUDES)]
        self._taken = [pattern for pattern in patterns if not pattern.startswith(EXCLUDES)] or ["*"]

    @property
    def names(self) -> list[str] | None:
        """The only names that can match, where no pattern that takes has a wildcard; None where they must be listed."""
        if any(WILDCARDS & set(pattern) for pattern in self._taken):
            return None
        return [name for name in dict.fromkeys(self._taken) if self.takes(name)]

    def takes(self, name: str) -> bool:
        """Whether the mirror takes a name."""
        is_taken = any(fnmatchcase(name, pattern) for pattern in self._taken)
        return is_taken and not any(fnmatchcase(name, pattern) for pattern in self._excluded)

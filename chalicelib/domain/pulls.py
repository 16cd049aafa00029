"""Pulls, counted: when an hour's records are all there, when they are added up, and to what they add."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

HOUR_S = 3600
# Every record of an hour's pulls is written so long after its end. What comes later may be left out of the sums.
SETTLED_S = 300
# Repositories are added up within so long after that, not all at one second.
SPREAD_S = 900


def hour_of(at: float) -> int:
    """The second that begins the hour of a moment."""
    return int(at // HOUR_S * HOUR_S)


def settled_at(now: float) -> int:
    """The second before which every pull's record is there: the end of the last hour that is settled."""
    return hour_of(now - SETTLED_S)


def due_at(repository_id: str, hour: int) -> int:
    """When a repository's pulls of the hour that begins at a second are added up: always the same for both."""
    return hour + HOUR_S + SETTLED_S + zlib.crc32(repository_id.encode()) % SPREAD_S


@dataclass(frozen=True, slots=True)
class Pull:
    """A recorded pull: its ULID, when it was, in seconds, and the texts of the tag and of the digest it counts for."""

    position: str
    at: int
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """How often something was pulled, and when last, in seconds: None for never."""

    pulls: int = 0
    last_at: int | None = None

    def plus(self, at: int) -> "Sum":
        """One pull more."""
        return Sum(self.pulls + 1, max(self.last_at or 0, at))


def sums(pulls: Iterable[Pull]) -> dict[str, Sum]:
    """What pulls add to each tag and each digest."""
    found: dict[str, Sum] = {}
    for pull in pulls:
        for reference in pull.references:
            found[reference] = found.get(reference, Sum()).plus(pull.at)
    return found


def parts(pulls: Sequence[Pull], most: int) -> Iterator[Sequence[Pull]]:
    """Pulls in their order, cut so that each part names at most so many tags and digests, of which a pull has two."""
    begin, named = 0, set[str]()
    for number, pull in enumerate(pulls):
        if len(named | set(pull.references)) > most:
            yield pulls[begin:number]
            begin, named = number, set()
        named |= set(pull.references)
    if begin < len(pulls):
        yield pulls[begin:]

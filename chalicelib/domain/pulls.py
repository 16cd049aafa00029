"""Counting pulls: when all records of an hour are written, when they are added up, and what they add."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

HOUR_S = 3600
# Seconds after the end of an hour by which all records of its pulls are written. Later ones may not be counted.
SETTLED_S = 300
# Seconds after that over which the repositories are spread, so that they are not all counted at once.
SPREAD_S = 900
# Seconds after the lookup of a tag in which a pull of the digest that it named is a pull by that tag.
LOOKUP_S = 3600


def hour_of(at: float) -> int:
    """Returns the beginning of the hour of a moment; both in seconds since the epoch."""
    return int(at // HOUR_S * HOUR_S)


def settled_at(now: float) -> int:
    """Returns the end of the last hour whose records are all written, in seconds since the epoch."""
    return hour_of(now - SETTLED_S)


def due_at(repository_id: str, hour: int) -> int:
    """Returns when a repository's pulls of an hour are added up, in seconds; always the same for the same arguments."""
    return hour + HOUR_S + SETTLED_S + zlib.crc32(repository_id.encode()) % SPREAD_S


@dataclass(frozen=True, slots=True)
class Puller:
    """Who pulls from a repository: the name of an account, empty for anonymous ones, and an address."""

    name: str
    address: str
    repository_id: str


@dataclass(frozen=True, slots=True)
class Pull:
    """A recorded pull: its ULID, its time in seconds since the epoch, and the tag and the digest that it counts for."""

    position: str
    at: int
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """How often a tag or manifest was pulled, and when last, in seconds since the epoch; None for never."""

    pulls: int = 0
    last_at: int | None = None

    def plus(self, at: int) -> "Sum":
        """Returns the sum with one pull more, at a time in seconds since the epoch."""
        return Sum(self.pulls + 1, max(self.last_at or 0, at))


def sums(pulls: Iterable[Pull]) -> dict[str, Sum]:
    """Returns what pulls add to each tag and each digest."""
    totals: dict[str, Sum] = {}
    for pull in pulls:
        for reference in pull.references:
            totals[reference] = totals.get(reference, Sum()).plus(pull.at)
    return totals


def parts(pulls: Sequence[Pull], most: int) -> Iterator[Sequence[Pull]]:
    """Cuts pulls into consecutive parts that name at most `most` tags and digests each; one pull names up to two."""
    begin, named = 0, set[str]()
    for number, pull in enumerate(pulls):
        if len(named | set(pull.references)) > most:
            yield pulls[begin:number]
            begin, named = number, set()
        named |= set(pull.references)
    if begin < len(pulls):
        yield pulls[begin:]

"""What is claimed of a registry, what was found of it, and what to do about it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.smoke.client import SmokeClient


class Verdict(Enum):
    """How a claim stands. UNKNOWN says neither: nobody could look, or what was seen does not decide it."""

    HOLDS = "holds"
    FAILS = "fails"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict with the facts that it rests on, in a few words."""

    verdict: Verdict
    evidence: str


@dataclass(frozen=True, slots=True)
class Check:
    """A claim of one sentence, how it is looked at, and what to switch or tell people when it fails.

    `also` are other names for it: U1 to U12 and C1 to C6 are the open questions that the design left to the first real
    deployment, B1 and on what any registry must do.
    """

    id: str
    claim: str
    remedy: str
    run: Callable[["SmokeClient"], Finding]
    also: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All its names."""
        return (self.id, *self.also)


def holds(evidence: str) -> Finding:
    """The claim was seen to be true."""
    return Finding(Verdict.HOLDS, evidence)


def fails(evidence: str) -> Finding:
    """The claim was seen to be false."""
    return Finding(Verdict.FAILS, evidence)


def unknown(evidence: str) -> Finding:
    """Nobody could see; `evidence` says why, and what would show it."""
    return Finding(Verdict.UNKNOWN, evidence)


def decided(is_true: object, evidence: str) -> Finding:
    """Holds or fails."""
    return holds(evidence) if is_true else fails(evidence)

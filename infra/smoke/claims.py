"""Claims about a registry, what a check found, and the remedy if a claim fails."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.smoke.client import SmokeClient


class Verdict(Enum):
    """The result of a check.

    NOT_OFFERED means that the claim is about a part that this installation has not. UNKNOWN means that the check could
    not run or did not decide the claim.
    """

    HOLDS = "holds"
    FAILS = "fails"
    NOT_OFFERED = "not offered"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict and its evidence in a few words."""

    verdict: Verdict
    evidence: str


@dataclass(frozen=True, slots=True)
class Check:
    """A claim of one sentence, the function that checks it, and the remedy if it fails.

    `also` are other names of the check. U1 to U12 and C1 to C6 are the open questions that the design left to the first
    real deployment; B1 and its followers are the duties of any registry.
    """

    id: str
    claim: str
    remedy: str
    run: Callable[["SmokeClient"], Finding]
    also: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Returns all names of the check."""
        return (self.id, *self.also)


def holds(evidence: str) -> Finding:
    """Returns the finding that the claim is true."""
    return Finding(Verdict.HOLDS, evidence)


def fails(evidence: str) -> Finding:
    """Returns the finding that the claim is false."""
    return Finding(Verdict.FAILS, evidence)


def not_offered(evidence: str) -> Finding:
    """Returns the finding that the installation lacks the part; `evidence` names the variable that adds it."""
    return Finding(Verdict.NOT_OFFERED, evidence)


def unknown(evidence: str) -> Finding:
    """Returns the finding that nothing is known; `evidence` says why, and what would decide the claim."""
    return Finding(Verdict.UNKNOWN, evidence)


def decided(is_true: object, evidence: str) -> Finding:
    """Returns `holds` or `fails`."""
    return holds(evidence) if is_true else fails(evidence)

"""All checks in their order, and how one is run."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from infra.smoke import bodies, challenges, edge, lengths, pulls, relaying, runtime
from infra.smoke.claims import Check, Finding, unknown
from infra.smoke.client import SmokeClient

# What everything rests on first; what moves gigabytes last.
CHECKS: tuple[Check, ...] = (
    *challenges.CHECKS,
    *pulls.CHECKS,
    *lengths.CHECKS,
    *bodies.CHECKS,
    *edge.CHECKS,
    *runtime.CHECKS,
    *relaying.CHECKS,
)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A check with what was found, in how many seconds."""

    check: Check
    finding: Finding
    seconds: float


def chosen(names: Iterable[str]) -> tuple[Check, ...]:
    """The checks of these names, all where there are none. Raises ValueError for a name that nobody has."""
    wanted = {name.strip().upper() for name in names if name.strip()}
    known = {name for check in CHECKS for name in check.names}
    if strange := sorted(wanted - known):
        raise ValueError(f"there is no check {', '.join(strange)}; `--list` tells all")
    return tuple(check for check in CHECKS if not wanted or wanted & set(check.names))


def run(client: SmokeClient, check: Check) -> CheckResult:
    """One check. One that breaks off proves nothing: it is unknown, with the reason."""
    begun = time.monotonic()
    try:
        finding = check.run(client)
    except Exception as error:
        finding = unknown(f"could not be looked at: {str(error) or type(error).__name__}")
    shown = Finding(finding.verdict, printable(client.tokens.hidden(finding.evidence)))
    return CheckResult(check, shown, time.monotonic() - begun)


def printable(text: str) -> str:
    """The text with nothing in it that a terminal obeys: some of it was written by whoever answered."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)

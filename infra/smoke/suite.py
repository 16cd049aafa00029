"""Lists all checks in their order, and runs one."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from infra.smoke import bodies, challenges, edge, lengths, pulls, relaying, runtime
from infra.smoke.claims import Check, Finding, unknown
from infra.smoke.client import SmokeClient

# The checks that all others depend on come first, and those that move gigabytes last.
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
    """A check, its finding and the seconds that it took."""

    check: Check
    finding: Finding
    seconds: float


def chosen(names: Iterable[str]) -> tuple[Check, ...]:
    """Returns the checks with these names, or all if there are no names. Raises ValueError for an unknown name."""
    wanted = {name.strip().upper() for name in names if name.strip()}
    known = {name for check in CHECKS for name in check.names}
    if strange := sorted(wanted - known):
        raise ValueError(f"there is no check {', '.join(strange)}; `--list` shows all")
    return tuple(check for check in CHECKS if not wanted or wanted & set(check.names))


def run(client: SmokeClient, check: Check) -> CheckResult:
    """Runs one check. If it raises an exception, the finding is unknown, with the reason."""
    begun = time.monotonic()
    try:
        finding = check.run(client)
    except Exception as error:
        finding = unknown(f"could not be checked: {str(error) or type(error).__name__}")
    shown = Finding(finding.verdict, printable(client.tokens.hidden(finding.evidence)))
    return CheckResult(check, shown, time.monotonic() - begun)


def printable(text: str) -> str:
    """Returns the text without control characters, since the answering server wrote parts of it."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)

"""Prints the results of a run as a table of at most 120 columns, or as JSON."""

import json
import textwrap
from collections.abc import Iterable, Sequence

from infra.smoke.claims import Check, Verdict
from infra.smoke.suite import CheckResult

WIDTH = 120
NAME, RESULT = 10, 13
GAP = " " * (NAME + RESULT)


def head() -> str:
    """Returns the head of the table."""
    title = "The claim, what was found, and what to do if it fails"
    return f"{'Claim':{NAME}}{'Result':{RESULT}}{title}\n{'-' * WIDTH}"


def lines_of(row: CheckResult) -> str:
    """Returns a row of the table."""
    words = [row.check.claim, row.finding.evidence]
    if row.finding.verdict is Verdict.FAILS:
        words.append(f"What to do: {row.check.remedy}")
    return _entry(row.check, row.finding.verdict.value, words)


def listed(checks: Iterable[Check]) -> str:
    """Returns all claims with their remedies."""
    entries = [_entry(check, "", [check.claim, f"If it fails: {check.remedy}"]) for check in checks]
    title = f"{'Claim':{NAME + RESULT}}The claim, and what to do if it fails\n{'-' * WIDTH}"
    return "\n".join([title, *entries])


def _entry(check: Check, result: str, words: Sequence[str]) -> str:
    beginning = f"{' '.join(check.names):{NAME}}{result:{RESULT}}"
    wrapped = [
        textwrap.fill(text, WIDTH, initial_indent=GAP, subsequent_indent=GAP, break_on_hyphens=False) for text in words
    ]
    return beginning + "\n".join(wrapped)[len(GAP) :]


def count(rows: Iterable[CheckResult], verdict: Verdict) -> int:
    """Counts the results with a verdict."""
    return sum(row.finding.verdict is verdict for row in rows)


def summary(rows: Sequence[CheckResult], left: Sequence[str]) -> str:
    """Returns the last lines: the count of each verdict, and what could not be deleted."""
    counts = ", ".join(f"{count(rows, verdict)} {verdict.value}" for verdict in Verdict)
    remains = [f"Left behind: {line}" for line in left]
    return "\n".join(["-" * WIDTH, counts, *remains])


def as_json(url: str, rows: Sequence[CheckResult], left: Sequence[str]) -> str:
    """Returns the results as JSON."""
    checks = [
        {
            "names": row.check.names,
            "claim": row.check.claim,
            "result": row.finding.verdict.value,
            "evidence": row.finding.evidence,
            "remedy": row.check.remedy,
            "seconds": round(row.seconds, 2),
        }
        for row in rows
    ]
    counts = {verdict.value: count(rows, verdict) for verdict in Verdict}
    return json.dumps({"url": url, "counts": counts, "checks": checks, "left_behind": list(left)}, indent=2)

"""Decisions are numbered, short, and say why."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ADRS = sorted((ROOT / "docs" / "adr").glob("*"))
LONGEST = 40


def test_numbers_are_unique_and_without_gaps() -> None:
    assert [path.name[:5] for path in ADRS] == [f"{number:04d}-" for number in range(1, len(ADRS) + 1)]
    assert ADRS


def faults(path: Path) -> list[str]:
    """What is wrong with the form of a decision."""
    lines = path.read_text("utf-8").splitlines()
    wanted = {
        "its name is not number-words.md": re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", path.name),
        f"it has {LONGEST} lines or more": len(lines) < LONGEST,
        "its title does not begin with its number": lines[0].startswith(f"# {path.name[:4].lstrip('0')}. "),
        "its chapters are not Context, Decision, Consequences": [line for line in lines if line.startswith("## ")]
        == ["## Context", "## Decision", "## Consequences"],
    }
    return [f"{path.name}: {fault}" for fault, is_kept in wanted.items() if not is_kept]


def test_a_decision_is_short_and_has_context_decision_and_consequences() -> None:
    assert [fault for path in ADRS for fault in faults(path)] == []


def test_decisions_that_the_code_names_are_there() -> None:
    code = [path for room in ("chalicelib", "relay", "infra") for path in (ROOT / room).rglob("*.py")]
    named = {number for path in code for number in re.findall(r"ADR (\d{4})", path.read_text("utf-8"))}

    assert named <= {path.name[:4] for path in ADRS}

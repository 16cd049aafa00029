"""docs/conformance.md: every requirement of the distribution specification names a test that exists."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs" / "conformance.md"
LEVELS = {"MUST", "MUST NOT", "SHOULD", "SHOULD NOT"}
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
ROW = re.compile(r"\|\s*(?P<id>[a-z]+-\d+)\s*\|")
# The chapters of the specification that bind a registry; a chapter without a row was forgotten.
CHAPTERS = {"categories", "pull", "push", "tags", "referrers", "delete", "proxy", "upgrade", "api", "error", "warning"}


def rows() -> list[list[str]]:
    lines = TABLE.read_text("utf-8").splitlines()
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines if ROW.match(line)]


@cache
def functions_of(path: str) -> set[str]:
    """The functions of a file; none when there is no such file."""
    if not (ROOT / path).is_file():
        return set()
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_chapter_has_rows_and_no_id_stands_twice() -> None:
    ids = [row[0] for row in rows()]

    assert len(set(ids)) == len(ids)
    assert {name.rpartition("-")[0] for name in ids} == CHAPTERS


def faults(row: list[str]) -> list[str]:
    """What is wrong with a row: id, section, requirement, level, test, note."""
    if len(row) != 6:
        return [f"{row[0]} has {len(row)} cells"]
    identity, section, requirement, level, tests, _ = row
    named = TEST.findall(tests)
    found = [] if section and requirement and level in LEVELS else [f"{identity} has no section, requirement or level"]
    found += [] if named else [f"{identity} names no test"]
    return found + [f"{identity}: {path} has no {name}" for path, name in named if name not in functions_of(path)]


def test_every_row_names_tests_that_exist() -> None:
    assert [fault for row in rows() for fault in faults(row)] == []

"""docs/conformance.md: every requirement of the distribution specification names a test that exists."""

import ast
import re
from pathlib import Path

import pytest

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


def functions_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_chapter_has_rows_and_no_id_stands_twice() -> None:
    ids = [row[0] for row in rows()]

    assert len(set(ids)) == len(ids)
    assert {name.rpartition("-")[0] for name in ids} == CHAPTERS


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_every_row_names_tests_that_exist(row: list[str]) -> None:
    assert len(row) == 6, "a row is: id, section, requirement, level, test, note"
    _, section, requirement, level, tests, _ = row
    named = TEST.findall(tests)

    assert section
    assert requirement
    assert level in LEVELS
    assert named, f"no test holds {row[0]}"
    for path, name in named:
        assert (ROOT / path).is_file(), path
        assert name in functions_of(path), f"{path} has no {name}"

"""Files have at most 400 lines, functions at most 60."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("chalicelib", "relay", "infra", "benchmarks", "tests")
FILES = sorted([ROOT / "app.py", *(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))])
LONGEST_FILE, LONGEST_FUNCTION = 400, 60


def too_large(path: Path) -> list[str]:
    """A file that is too long, and the functions in it that are."""
    name, text = str(path.relative_to(ROOT)), path.read_text("utf-8")
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    sizes = [(f"{name}::{node.name}", (node.end_lineno or 0) - node.lineno + 1) for node in functions]
    found = [f"{function}: {size} lines" for function, size in sizes if size > LONGEST_FUNCTION]
    lines = len(text.splitlines())
    return [f"{name}: {lines} lines", *found] if lines > LONGEST_FILE else found


def test_files_and_functions_are_small() -> None:
    assert len(FILES) > 500
    assert [offender for path in FILES for offender in too_large(path)] == []

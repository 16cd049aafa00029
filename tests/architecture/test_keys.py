"""Keys of the table are spelled in storage/keys, and nowhere else."""

import ast
import re
from pathlib import Path

from chalicelib.storage import keys
from chalicelib.storage.table import description

ROOT = Path(__file__).resolve().parents[2]
ROOM = Path(keys.__file__).parent
KEY = re.compile(r"[A-Z]+#")


def texts(path: Path) -> list[str]:
    """All texts of a module but its docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in documents]
    return [node.value for node in constants if isinstance(node.value, str)]


def test_no_other_module_spells_a_key() -> None:
    others = [path for path in (ROOT / "chalicelib").rglob("*.py") if path.parent != ROOM]
    spelled = {str(path.relative_to(ROOT)): found for path in others if (found := list(filter(KEY.match, texts(path))))}

    assert spelled == {}


def test_every_key_stands_in_the_map_at_the_top() -> None:
    prefixes = {match[0] for path in ROOM.glob("*.py") for text in texts(path) if (match := KEY.match(text))}

    assert {prefix for prefix in prefixes if prefix not in (keys.__doc__ or "")} == set()
    assert len(prefixes) > 20


def test_the_indexes_are_those_of_the_map() -> None:
    drawn = set(re.findall(r"Index `(\w+)`\s+\((\w+), (\w+)\)", keys.__doc__ or ""))
    made = {
        (index["IndexName"], *(key["AttributeName"] for key in index["KeySchema"]))
        for index in description("t")["GlobalSecondaryIndexes"]
    }

    assert made == drawn

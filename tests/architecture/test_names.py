"""A class has a name of its own, and what is private to a service is private to tests too."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def modules(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    """Every module below the folders, by its path."""
    for path in sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text("utf-8"))


def test_no_two_classes_have_one_name() -> None:
    places = defaultdict(list)
    for path, tree in modules("chalicelib"):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{path}:{node.lineno}")

    assert len(places) > 300
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def reaches_into_a_service(node: ast.AST) -> bool:
    """Whether an expression is like `backend.services.accounts.robots._store`, also as `setattr` would have it."""
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("setattr") and len(node.args) > 1:
        target, name = node.args[0], node.args[1]
        is_private = isinstance(name, ast.Constant) and str(name.value).startswith("_")
    elif isinstance(node, ast.Attribute):
        target, is_private = node.value, node.attr.startswith("_")
    else:
        return False
    return is_private and "services" in ast.unparse(target).split(".")


def test_no_test_reaches_into_a_service() -> None:
    found = [
        f"{path}:{node.lineno} {ast.unparse(node)}"
        for path, tree in modules("tests")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute | ast.Call) and reaches_into_a_service(node)
    ]

    assert found == []

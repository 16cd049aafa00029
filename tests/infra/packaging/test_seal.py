"""The replacements of a library's modules have the names that others import."""

import ast
import importlib.util
from pathlib import Path
from typing import Any

import certifi

from infra.packaging.seal import REPLACED

SITE = Path(str(importlib.util.find_spec("botocore").origin)).parents[1]
MODULES = {name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): name for name in REPLACED}


def imported_names(library: str) -> set[tuple[str, str]]:
    """Returns module and name of every import from a replaced module, except within its package."""
    found: set[tuple[str, str]] = set()
    for path in (SITE / library).rglob("*.py"):
        where = ".".join(path.relative_to(SITE).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module in MODULES:
                found |= {(node.module, alias.name) for alias in node.names if not where.startswith("botocore.docs")}
    return found


def test_every_import_from_a_replaced_module_works() -> None:
    given: dict[str, dict[str, object]] = {module: {} for module in MODULES}
    for module, name in MODULES.items():
        exec(REPLACED[name], given[module])

    wanted = imported_names("botocore") | imported_names("boto3") | imported_names("urllib3")

    assert ("botocore.docs.docstring", "ClientMethodDocstring") in wanted
    assert [(module, name) for module, name in sorted(wanted) if name not in given[module]] == []


def test_a_replaced_docstring_is_an_empty_text() -> None:
    given: dict[str, type] = {}
    exec(REPLACED["botocore/docs/docstring.py"], given)

    assert given["ClientMethodDocstring"](operation_model=None, include_signature=False) == ""


def test_the_certificates_are_found_where_certifi_finds_them() -> None:
    given: dict[str, Any] = {"__file__": str(SITE / "certifi" / "core.py")}
    exec(REPLACED["certifi/core.py"], given)

    assert given["where"]() == certifi.where()
    assert given["contents"]() == certifi.contents()


def test_every_replaced_module_exists_in_its_library() -> None:
    assert [name for name in REPLACED if not (SITE / name).is_file()] == []

"""Sealing: what stands in the place of a library's own modules has what others ask these for."""

import ast
import importlib.util
from pathlib import Path
from typing import Any

import certifi

from infra.packaging.seal import REPLACED

SITE = Path(str(importlib.util.find_spec("botocore").origin)).parents[1]
MODULES = {name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): name for name in REPLACED}


def asked_for(library: str) -> set[tuple[str, str]]:
    """Module and name of all that a library imports from a replaced module, but for what lies in its package."""
    found: set[tuple[str, str]] = set()
    for path in (SITE / library).rglob("*.py"):
        where = ".".join(path.relative_to(SITE).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module in MODULES:
                found |= {(node.module, alias.name) for alias in node.names if not where.startswith("botocore.docs")}
    return found


def test_whoever_imports_from_a_replaced_module_finds_what_it_wants() -> None:
    given: dict[str, dict[str, object]] = {module: {} for module in MODULES}
    for module, name in MODULES.items():
        exec(REPLACED[name], given[module])

    wanted = asked_for("botocore") | asked_for("boto3") | asked_for("urllib3")

    assert ("botocore.docs.docstring", "ClientMethodDocstring") in wanted
    assert [(module, name) for module, name in sorted(wanted) if name not in given[module]] == []


def test_a_docstring_that_nobody_makes_is_a_text_without_words() -> None:
    given: dict[str, type] = {}
    exec(REPLACED["botocore/docs/docstring.py"], given)

    assert given["ClientMethodDocstring"](operation_model=None, include_signature=False) == ""


def test_the_certificates_are_found_where_certifi_finds_them() -> None:
    given: dict[str, Any] = {"__file__": str(SITE / "certifi" / "core.py")}
    exec(REPLACED["certifi/core.py"], given)

    assert given["where"]() == certifi.where()
    assert given["contents"]() == certifi.contents()


def test_what_is_replaced_is_where_it_is_looked_for() -> None:
    assert [name for name in REPLACED if not (SITE / name).is_file()] == []

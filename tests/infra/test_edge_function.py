"""CloudFront's functions are small enough, use only CloudFront's JavaScript, and pass their tests in node."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import esprima
import pytest

HERE = Path(__file__).parent / "edge"
FUNCTIONS = Path(__file__).parents[2] / "infra/terraform/edge"
NAMES = ["viewer_request.js", "viewer_response.js"]
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html#limits-functions
LARGEST = 10_240
OLDEST_NODE = 18

# ES 5.1 and the documented additions that the functions use; no class, for-of, spread, destructuring or `?.`:
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-javascript-runtime-20.html
SYNTAX = """
    Program ImportDeclaration ImportDefaultSpecifier FunctionDeclaration ArrowFunctionExpression CallExpression
    VariableDeclaration VariableDeclarator ExpressionStatement BlockStatement ReturnStatement IfStatement ForStatement
    TryStatement CatchClause Identifier Literal ObjectExpression Property ArrayExpression MemberExpression
    UnaryExpression BinaryExpression LogicalExpression ConditionalExpression AssignmentExpression UpdateExpression
    AwaitExpression
"""
# The operators of ES 5.1 that look like newer ones.
OPERATORS = {"LogicalExpression": {"&&", "||"}, "AssignmentExpression": {"=", "|=", "+="}}


def node() -> str:
    """Returns node; without it the test is skipped, or fails if nothing may be skipped."""
    found = shutil.which("node")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout if found else ""
    if found and int(re.match(r"v(\d+)", version)[1]) >= OLDEST_NODE:
        return found
    missing = f"node {OLDEST_NODE} or newer is not installed: apt-get install nodejs"
    if os.environ.get("CLOUDBERTH_NO_SKIPS"):
        pytest.fail(f"edge function: {missing} (CLOUDBERTH_NO_SKIPS is set)")
    pytest.skip(f"edge function: {missing}")


def unreadable(source: str) -> list[str]:
    """Returns the lines with syntax that CloudFront does not support."""
    found: list[str] = []
    _look(esprima.parseModule(source, {"loc": True}), None, 0, found)
    return found


def _look(tree: Any, parent: Any, depth: Any, found: Any) -> None:
    why = _why(tree, parent, depth)
    if why:
        found.append(f"line {tree.loc.start.line}: {why}")
    inside = depth + (tree.type.endswith("FunctionExpression") or tree.type == "FunctionDeclaration")
    for value in vars(tree).values():
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, esprima.nodes.Node):
                _look(child, tree, inside, found)


def _why(tree: Any, parent: Any, depth: Any) -> str:
    kind = tree.type
    if kind not in SYNTAX.split():
        return str(kind)
    if kind == "ImportDeclaration" and tree.source.value != "cloudfront":
        return f"import of {tree.source.value}"
    if kind in OPERATORS and tree.operator not in OPERATORS[kind]:
        return f"operator {tree.operator}"
    if kind == "Property" and (tree.shorthand or tree.method or tree.computed or tree.kind != "init"):
        return "a short property"
    if kind == "CatchClause" and tree.param is None:
        return "catch without a name"
    if getattr(tree, "isAsync", False) and (depth or kind != "FunctionDeclaration"):
        return "an async closure"
    if kind == "AwaitExpression" and parent.type != "VariableDeclarator":
        return "await as part of an expression"
    if kind == "CallExpression" and _is_log(tree) and len(tree.arguments) != 1:
        return "console.log takes one argument"
    return ""


def _is_log(call: Any) -> bool:
    callee = call.callee
    return getattr(getattr(callee, "object", None), "name", "") == "console"


def test_every_function_is_within_cloudfronts_size_limit() -> None:
    contents = {name: (FUNCTIONS / name).read_bytes() for name in NAMES}

    assert {name: len(content) for name, content in contents.items() if len(content) > LARGEST} == {}
    assert [name for name, content in contents.items() if not content.isascii()] == []


def test_every_function_uses_only_syntax_that_cloudfront_documents() -> None:
    assert [f"{name}, {line}" for name in NAMES for line in unreadable((FUNCTIONS / name).read_text())] == []


@pytest.mark.parametrize(
    "source",
    [
        "class A {}",
        "for (const a of b) {}",
        "f(...a);",
        "const {a} = b;",
        "const [a] = b;",
        "function f(a = 1) {}",
        "function f({a}) {}",
        "a?.b;",
        "a ?? b;",
        "a ||= b;",
        "a ??= b;",
        "f({a});",
        "f({a() {}});",
        "f({[a]: 1});",
        "function* f() { yield 1; }",
        "try { f(); } catch { g(); }",
        "const f = async () => 1;",
        "function f() { async function g() {} }",
        "async function f() { g(await h()); }",
        "import fs from 'fs';",
        "export function f() {}",
        "console.log(a, b);",
    ],
)
def test_syntax_that_only_node_supports_is_found(source: str) -> None:
    assert unreadable(source)


@pytest.mark.parametrize("name", sorted(path.name for path in HERE.glob("*.test.js")))
def test_a_function_does_what_its_vectors_say(name: str) -> None:
    command = [node(), "--test", "--test-reporter=tap", name]
    # Without this variable of the runner, since node would take itself for a subtest.
    environment = {key: value for key, value in os.environ.items() if key != "NODE_TEST_CONTEXT"}
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=120, env=environment, check=False)
    counted = dict(re.findall(r"^# (pass|fail) (\d+)$", done.stdout, re.MULTILINE))

    assert done.returncode == 0, done.stdout + done.stderr
    assert int(counted["pass"]) > 20
    assert counted["fail"] == "0"

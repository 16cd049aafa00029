"""Every module of the four rooms has its tests, and every such test its module."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("domain", "storage", "remote", "services", "edge")
# Packages of one thing, tested together by the tests of their name, and why.
TOGETHER = {
    "errors": "one tree, of which every leaf is looked at",
    "keys": "one map, in which every key is held against every other",
}
# Tests without a module of the same name, and why.
WITHOUT_MODULE = {
    "domain/test_pushed_manifests.py": "what manifests.py refuses of a push: one file would be too long",
    "services/lifecycle/test_foreign_layers.py": "what a push, the collector and the API make of them",
    "services/lifecycle/test_indexes_of_blobs.py": "what a push, the collector and the API make of them",
    "storage/test_denied_objects.py": "what objects.py makes of a refusal, on an emulator that enforces IAM",
    "services/registry/test_blobs_by_state.py": "blobs.py in every state of link and blob: one file would be too long",
    "services/lifecycle/test_garbage_races.py": "garbage.py and who comes in between: one file would be too long",
    "services/registry/test_closed_uploads.py": "the second half of uploads.py: one file would be too long",
    "services/registry/test_deleted_repositories.py": "how repositories.py ends one: one file would be too long",
    "services/registry/test_sparse_indexes.py": "what a push, the collector and the API make of them",
    "services/registry/test_time_machine.py": "what the API does by tags.py: one file would be too long",
    "services/registry/test_unproven_bytes.py": "what is refused by uploads.py and presigned_uploads.py alike",
}


def modules(room: str) -> set[str]:
    inside = ROOT / "chalicelib" / room
    return {
        f"{room}/{path.relative_to(inside).with_name('test_' + path.name)}"
        for path in [*inside.rglob("*.py"), *(inside / f"{name}.py" for name in TOGETHER if (inside / name).is_dir())]
        if path.name != "__init__.py" and path.parent.name not in TOGETHER
    }


def has_functions(module: str) -> bool:
    """Whether a module does anything: one of constants and plain dataclasses leaves nothing to be tested."""
    path = ROOT / "chalicelib" / module.replace("/test_", "/")
    return path.is_file() and any(isinstance(n, ast.FunctionDef) for n in ast.walk(ast.parse(path.read_text("utf-8"))))


def files(room: str) -> set[str]:
    return {str(path.relative_to(ROOT / "tests")) for path in (ROOT / "tests" / room).rglob("test_*.py")}


def test_every_module_has_its_tests_and_every_test_its_module() -> None:
    possible = {name for room in ROOMS for name in modules(room)}
    expected = {name for name in possible if has_functions(name) or Path(name).stem.removeprefix("test_") in TOGETHER}
    found = {name for room in ROOMS for name in files(room)}

    assert sorted(expected - found) == [], "these tests are missing"
    assert sorted(found - possible - set(WITHOUT_MODULE)) == [], "these tests have no module"


def test_every_exception_is_needed() -> None:
    found = {name for room in ROOMS for name in files(room)}

    assert set(WITHOUT_MODULE) <= found

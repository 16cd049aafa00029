"""`make check` runs every check in turn and prints the seconds of each; all run, even after a failure."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from infra.local.environment import ROOT

SCRIPTS = Path(sys.executable).parent


def check(pytest_arguments: Sequence[str] = ()) -> int:
    """Runs all parts and prints their seconds; returns 0 if every part passed."""
    results = [(name, *_timed(name, command)) for name, command in parts(pytest_arguments)]
    print()
    for name, passed, seconds in results:
        print(f"{name:8}  {seconds:7.1f} s  {'passed' if passed else 'FAILED'}", flush=True)
    return 0 if all(passed for _, passed, _ in results) else 1


def parts(pytest_arguments: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Returns name and command of each part; pyproject.toml says what they check and what they let pass."""
    return [
        ("format", [_script("ruff"), "format", "--check", "."]),
        ("lint", [_script("ruff"), "check", "."]),
        ("types", [_script("mypy")]),
        ("imports", [_script("lint-imports")]),
        ("unused", [_script("vulture")]),
        ("spelling", [_script("codespell"), "."]),
        ("tests", [sys.executable, "-m", "pytest", *pytest_arguments]),
    ]


def _timed(name: str, command: list[str]) -> tuple[bool, float]:
    print(f"\n== {name}: {' '.join([Path(command[0]).name, *command[1:]])}", flush=True)
    begun = time.monotonic()
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    return status == 0, time.monotonic() - begun


def _script(name: str) -> str:
    return str(SCRIPTS / name)

"""`python -m benchmarks.cold_start`: compares the sealed package with the one that Chalice would build.

Both are built from the same wheels and sources for this machine's processor, unpacked into a temporary directory, and
imported in turns by new processes on one core. No time makes the run fail.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

from benchmarks.report import machine, table
from infra.package import ROOT, host_architecture
from infra.packaging.errors import PackageError
from infra.packaging.imports import ImportTime
from infra.packaging.interpreters import RUNTIMES, interpreter
from infra.packaging.native import ARCHITECTURES
from infra.packaging.seal import pack, seal
from infra.packaging.tree import collect

ROUNDS = 15
AIM_IMPORT_MS, AIM_SIZE_MB = 200, 10


def main(arguments: list[str]) -> int:
    """Prints the measurements and returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold_start")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="default: %(default)s")
    parser.add_argument("--runtime", choices=RUNTIMES, default=RUNTIMES[0], help="default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        print(measure(interpreter(options.runtime), options.rounds))
    except PackageError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def measure(python: Path, rounds: int) -> str:
    """Builds and measures both packages, and returns the table."""
    if host_architecture() not in ARCHITECTURES:
        raise PackageError("The package's libraries are for Linux on x86_64 or arm64: measure there.")
    with tempfile.TemporaryDirectory(prefix="cloudberth-cold-start-") as scratch:
        zips = make(python, Path(scratch))
        trees = {name: unpacked(path) for name, path in zips.items()}
        for tree in trees.values():
            ImportTime.of(python, tree)  # the files are read once before they are measured
        turns = [{name: ImportTime.of(python, tree) for name, tree in trees.items()} for _ in range(rounds)]
        lines = [
            line(name, zips[name].stat().st_size, trees[name], [turn[name] for turn in turns])
            for name in reversed(zips)
        ]
    head = ["package", "zip MB", "files", "import: CPU ms", "by the clock", "fastest", "first DynamoDB client: CPU ms"]
    aims = f"Aims for the sealed one: import under {AIM_IMPORT_MS} ms, zip under {AIM_SIZE_MB} MB."
    here = f"{machine(time.strftime('%Y-%m-%d'))} Medians of {rounds}, with {python.name}. {aims}"
    return f"{here}\n\n{table(head, lines)}"


def make(python: Path, scratch: Path) -> dict[str, Path]:
    """Returns the two zips by name, packed from one tree before and after it is sealed."""
    zips = {name: scratch / f"{name}.zip" for name in ("unsealed", "sealed")}
    collect(ROOT, python, host_architecture(), scratch / "tree")
    pack(scratch / "tree", zips["unsealed"])
    seal(scratch / "tree", python, zips["sealed"])
    return zips


def unpacked(package: Path) -> Path:
    """Unpacks a zip into a directory beside it, and returns the directory."""
    tree = package.with_suffix("")
    with ZipFile(package) as archive:
        archive.extractall(tree)
    return tree


def line(name: str, size_bytes: int, tree: Path, starts: Sequence[ImportTime]) -> list[str]:
    """Returns a row of the table."""
    middle = ImportTime.median(starts)
    return [
        name,
        f"{size_bytes / 1e6:.2f}",
        str(sum(path.is_file() for path in tree.rglob("*"))),
        *(f"{seconds * 1000:.0f}" for seconds in (middle.import_cpu_s, middle.import_s)),
        f"{min(start.import_s for start in starts) * 1000:.0f}",
        f"{middle.client_cpu_s * 1000:.0f}",
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

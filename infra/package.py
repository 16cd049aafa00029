"""`python -m infra.package` makes the sealed zip that Lambda runs, and the files about it that Terraform reads.

It writes deployment-<architecture>.zip, chalice.tf.json (the functions as Chalice declares them) and package.json (the
zip's name, architecture, runtime, functions and SHA-256).
"""

import argparse
import platform
import sys
import tempfile
from pathlib import Path
from zipfile import ZipFile

from infra.packaging.build import Package, build
from infra.packaging.errors import PackageError
from infra.packaging.imports import ROUNDS, ImportTime
from infra.packaging.interpreters import RUNTIMES
from infra.packaging.native import ARCHITECTURES

ROOT = Path(__file__).parents[1]
OUTPUT = Path("infra") / "terraform" / "build"
MB = 1_000_000


def main(arguments: list[str]) -> int:
    """Packages as the arguments say and returns the exit status."""
    parsed = _parser().parse_args(arguments)
    try:
        package = build(parsed.project, parsed.output or parsed.project / OUTPUT, parsed.runtime, parsed.arch)
        print(describe(package))
    except PackageError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def describe(package: Package) -> str:
    """Describes the package for a person."""
    facts = [
        ("version", package.version),
        ("size", f"{package.size_bytes / MB:.2f} MB, {package.unpacked_bytes / MB:.1f} MB unpacked"),
        ("SHA-256", package.sha256),
        ("runs on", f"{package.runtime}, {package.architecture}"),
        ("cold import", _cold_import(package)),
        *((name, "{handler}, {memory_size} MB, {timeout} s".format(**it)) for name, it in package.functions.items()),
    ]
    return "\n".join([str(package.path), *(f"  {name:<13} {fact}" for name, fact in facts)])


def host_architecture() -> str:
    """Returns this machine's architecture by Lambda's name, or an empty string if its libraries cannot load here."""
    if sys.platform != "linux":
        return ""
    return {"aarch64": "arm64"}.get(platform.machine(), platform.machine())


def _cold_import(package: Package) -> str:
    if package.architecture != host_architecture():
        return f"not measured, since {package.architecture} libraries of Linux do not load on this machine"
    with tempfile.TemporaryDirectory(prefix="cloudberth-import-") as tree:
        with ZipFile(package.path) as archive:
            archive.extractall(tree)
        start = ImportTime.median([ImportTime.of(package.python, Path(tree)) for _ in range(ROUNDS)])
    return (
        f"{start.import_cpu_s * 1000:.0f} ms of one core, {start.import_s * 1000:.0f} ms by the clock "
        f"(medians of {ROUNDS})"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.package", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--arch", choices=ARCHITECTURES, help="default: lambda_architecture of .chalice/config.json")
    parser.add_argument("--runtime", choices=RUNTIMES, default=RUNTIMES[0], help="default: %(default)s")
    parser.add_argument("--output", type=Path, help=f"default: {OUTPUT}")
    parser.add_argument("--project", type=Path, default=ROOT, help="the directory of app.py; default: this checkout")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

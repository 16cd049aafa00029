"""Seals a tree of files: without what never runs, with bytecode instead of sources, as one reproducible zip.

Lambda's /var/task is read-only, so that a package of sources is compiled anew at every cold start. The
sources stay out: beside the bytecode nothing reads them, and the zip would pass 10 MB. Tracebacks name file and line.
"""

import gzip
import json
import shutil
import subprocess
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from infra.packaging.errors import PackageError

# The services that chalicelib calls; botocore and boto3 bring data for four hundred.
AWS_SERVICES = frozenset({"dynamodb", "s3", "secretsmanager", "sns", "sqs"})

# What Powertools offers and nobody of ours imports; a test imports all of ours from the package.
POWERTOOLS_LEFT_OUT = (
    "auth_alpha",
    "batch",
    "circuit_breaker",
    "data_classes",
    "data_masking",
    "feature_flags",
    "idempotency",
    "kafka",
    "parameters",
    "parser",
    "streaming",
    "validation",
)

# `*` spans directories. Licences stay, and METADATA: scanners of deployed functions find vulnerable versions by it.
LEFT_OUT = (
    "bin/*",  # command lines of libraries
    "*/__pycache__/*",
    "*.pyi",
    "*/py.typed",
    "*/tests/*",
    "*.dist-info/RECORD",  # pip's notes on an installation that we change
    "*.dist-info/INSTALLER",
    "*.dist-info/REQUESTED",
    "*.dist-info/WHEEL",
    "*.dist-info/entry_points.txt",
    "*.dist-info/top_level.txt",
    "*.dist-info/zip-safe",
    "cffi/*",  # its backend alone runs, below cryptography
    "pycparser*",  # for cffi's compiler
    "boto3/data/*",  # of boto3.resource(), which nothing of ours calls
    "boto3/examples/*",
    "botocore/data/*/examples-1.json",
    "authlib/integrations/*",  # of web frameworks
    "authlib/oauth1/*",
    "aws_lambda_powertools/event_handler/*",  # a router like Chalice's
    *(f"aws_lambda_powertools/utilities/{name}/*" for name in POWERTOOLS_LEFT_OUT),
    "botocore/cacert.pem",  # it takes certifi's
    "charset_normalizer/*.so",  # it runs without, and requests asks it about nothing but bodies that say no charset
    "dateutil/zoneinfo/*.tar.gz",  # time zones: ours is UTC
)
# What stays all the same: the page at /docs is made of it.
KEPT = ("aws_lambda_powertools/event_handler/openapi/swagger_ui/*.min.*",)

# What every start loads and nothing of ours ever needs, and what stands in its place: with it go 16 ms of 200 (ADR 14).
REPLACED = {
    # HTTP/2, for which urllib3 reads the versions of what is installed.
    "urllib3/http2/__init__.py": "",
    # Where the certificates are, for which certifi loads what reads packages that are still zipped.
    "certifi/core.py": """
import os


def where():
    return os.path.join(os.path.dirname(__file__), "cacert.pem")


def contents():
    with open(where(), encoding="ascii") as certificates:
        return certificates.read()
""",
    # What help() says of a client, which botocore makes of its prose: that is cut away, too.
    "botocore/docs/__init__.py": "DEPRECATED_SERVICE_NAMES = set()\n",
    "botocore/docs/docstring.py": """
class LazyLoadedDocstring(str):
    def __new__(cls, *args, **kwargs):
        return super().__new__(cls)


ClientMethodDocstring = WaiterDocstring = PaginatorDocstring = LazyLoadedDocstring
""",
}

# Where Lambda unpacks: what tracebacks name.
HOME = "/var/task"

# Runs in the runtime's own Python. One process in one order: what is interned by then shows in the bytecode.
COMPILE = """
import os, py_compile, sys
for line in sys.stdin:
    path = line.rstrip("\\n")
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(path, path + "c", sys.argv[1] + "/" + path, True, 0, mode)
    os.remove(path)
"""

# The oldest date that a zip can hold, and a mode that every user may read: neither clock nor umask shows.
DATE = (1980, 1, 1, 0, 0, 0)
MODE = 0o100644


def seal(tree: Path, python: Path, package: Path) -> None:
    """Prunes and compiles a tree in place with the runtime's `python` and packs it. Raises PackageError.

    The same tree gives the same bytes on every machine with the same zlib.
    """
    _leave_out(tree)
    _replace(tree)
    _trim_aws_data(tree / "botocore" / "data")
    _compile(tree, python)
    pack(tree, package)


def pack(tree: Path, package: Path) -> None:
    """Zips a tree in one order, without clock and umask."""
    with ZipFile(package, "w") as archive:
        for path in _files(tree):
            entry = ZipInfo(path.relative_to(tree).as_posix(), DATE)
            entry.create_system, entry.external_attr = 3, MODE << 16
            archive.writestr(entry, path.read_bytes(), ZIP_DEFLATED, 9)


def _leave_out(tree: Path) -> None:
    for path in _files(tree):
        name = path.relative_to(tree).as_posix()
        if _is_any_of(LEFT_OUT, name) and not _is_any_of(KEPT, name):
            path.unlink()


def _replace(tree: Path) -> None:
    for name, text in REPLACED.items():
        if (tree / name).is_file():
            (tree / name).write_text(text, "utf-8")


def _is_any_of(patterns: Iterable[str], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _trim_aws_data(data: Path) -> None:
    """Leaves our services only, without prose and uncompressed: a first client is made in half the time."""
    for directory in data.iterdir():
        if directory.is_dir() and directory.name not in AWS_SERVICES:
            shutil.rmtree(directory)
    for path in data.rglob("*.json.gz"):
        _write(path.with_suffix(""), _without_prose(json.loads(gzip.decompress(path.read_bytes()))))
        path.unlink()
    endpoints = json.loads((data / "endpoints.json").read_bytes())
    for partition in endpoints["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in services if name in AWS_SERVICES}
    _write(data / "endpoints.json", endpoints)


def _without_prose(node: Any) -> Any:
    if isinstance(node, dict):
        # A member of a shape may be called `documentation`, too: that one is no string.
        return {
            # botocore reads the prose of these when it looks for an endpoint, and fails without.
            key: value if key == "clientContextParams" else _without_prose(value)
            for key, value in node.items()
            if key != "documentation" or not isinstance(value, str)
        }
    return [_without_prose(value) for value in node] if isinstance(node, list) else node


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, separators=(",", ":")), "utf-8")


def _compile(tree: Path, python: Path) -> None:
    """Puts a .pyc where each .py was: imported without a look at any source."""
    sources = [path.relative_to(tree).as_posix() for path in _files(tree) if path.suffix == ".py"]
    done = subprocess.run(
        [python, "-ISB", "-c", COMPILE, HOME],
        input="".join(f"{name}\n" for name in sources),
        capture_output=True,
        text=True,
        cwd=tree,
        check=False,
    )
    if done.returncode != 0:
        raise PackageError(f"{python.name} could not compile the package: {done.stderr.strip().splitlines()[-1]}.")


def _files(tree: Path) -> list[Path]:
    return sorted((path for path in tree.rglob("*") if path.is_file()), key=Path.as_posix)

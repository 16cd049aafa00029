"""Seals a tree of files: removes what never runs, compiles sources to bytecode, and makes one reproducible zip.

Lambda's /var/task is read-only, so a package of sources would be compiled at every cold start. The sources are left
out, since nothing reads them beside the bytecode and the zip would exceed 10 MB. Tracebacks still name file and line.
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

# The services that chalicelib calls; botocore and boto3 have data for four hundred.
AWS_SERVICES = frozenset({"dynamodb", "s3", "secretsmanager", "sns", "sqs"})

# Utilities of Powertools that this project does not import; a test imports all its modules from the package.
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

# `*` matches across directories. Licences stay, and METADATA, in which scanners of deployed functions find versions.
LEFT_OUT = (
    "bin/*",  # command lines of libraries
    "*/__pycache__/*",
    "*.pyi",
    "*/py.typed",
    "*/tests/*",
    "*.dist-info/RECORD",  # pip's record of an installation that is changed here
    "*.dist-info/INSTALLER",
    "*.dist-info/REQUESTED",
    "*.dist-info/WHEEL",
    "*.dist-info/entry_points.txt",
    "*.dist-info/top_level.txt",
    "*.dist-info/zip-safe",
    "cffi/*",  # only its backend runs, in cryptography
    "pycparser*",  # for cffi's compiler
    "boto3/data/*",  # for boto3.resource(), which nothing here calls
    "boto3/examples/*",
    "s3transfer/*",  # for uploads by boto3.client("s3"), which nothing here calls
    "botocore/data/*/examples-1.json",
    "authlib/integrations/*",  # for web frameworks
    "authlib/oauth1/*",
    "authlib/oidc/*",  # for whoever issues OpenID Connect tokens
    "aws_lambda_powertools/event_handler/*",  # a router like Chalice's
    *(f"aws_lambda_powertools/utilities/{name}/*" for name in POWERTOOLS_LEFT_OUT),
    "botocore/cacert.pem",  # botocore uses certifi's
    "charset_normalizer/*.so",  # it works without; requests uses it only for bodies without a charset
    "cryptography/hazmat/primitives/twofactor/*",  # one-time passwords
    "botocore/crt/auth.py",  # these two are for awscrt, which is not installed
    "boto3/crt.py",
    "urllib3/contrib/emscripten/*",  # for browsers
    "urllib3/contrib/pyopenssl.py",
    "urllib3/contrib/socks.py",
    "dateutil/easter.py",
    "dateutil/rrule.py",  # recurrence rules, which only calendars need
    "dateutil/zoneinfo/*.tar.gz",  # time zones; only UTC is used here
)
# These files stay, since the page at /docs uses them.
KEPT = ("aws_lambda_powertools/event_handler/openapi/swagger_ui/*.min.*",)

# Modules that every start loads and nothing here needs, with their replacements; this saves 16 of 200 ms (ADR 14).
REPLACED = {
    # HTTP/2, for which urllib3 reads the versions of installed packages.
    "urllib3/http2/__init__.py": "",
    # The path of the certificates, for which certifi loads the readers of zipped packages.
    "certifi/core.py": """
import os


def where():
    return os.path.join(os.path.dirname(__file__), "cacert.pem")


def contents():
    with open(where(), encoding="ascii") as certificates:
        return certificates.read()
""",
    # The text of help() about a client, which botocore makes from its documentation; that is removed too.
    "botocore/docs/__init__.py": "DEPRECATED_SERVICE_NAMES = set()\n",
    "botocore/docs/docstring.py": """
class LazyLoadedDocstring(str):
    def __new__(cls, *args, **kwargs):
        return super().__new__(cls)


ClientMethodDocstring = WaiterDocstring = PaginatorDocstring = LazyLoadedDocstring
""",
}

# Lambda unpacks here, and tracebacks name this path.
HOME = "/var/task"

# This runs in the runtime's own Python, in one process and in one order, since interned strings affect the bytecode.
COMPILE = """
import os, py_compile, sys
for line in sys.stdin:
    path = line.rstrip("\\n")
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(path, path + "c", sys.argv[1] + "/" + path, True, 0, mode)
    os.remove(path)
"""

# The oldest date that a zip can hold and a mode that every user may read, so that neither clock nor umask matters.
DATE = (1980, 1, 1, 0, 0, 0)
MODE = 0o100644


def seal(tree: Path, python: Path, package: Path) -> None:
    """Prunes and compiles a tree in place with the runtime's `python` and packs it. Raises PackageError.

    The same tree gives the same bytes on every machine that has the same zlib.
    """
    _leave_out(tree)
    _replace(tree)
    _trim_aws_data(tree / "botocore" / "data")
    _compile(tree, python)
    pack(tree, package)


def pack(tree: Path, package: Path) -> None:
    """Zips a tree in a fixed order, independently of clock and umask."""
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
    """Keeps only the used services, without documentation and uncompressed, which halves the time to make a client."""
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
        # A member of a shape may also be called `documentation`, but it is no string.
        return {
            # botocore reads the documentation of these when it resolves an endpoint, and fails without it.
            key: value if key == "clientContextParams" else _without_prose(value)
            for key, value in node.items()
            if key != "documentation" or not isinstance(value, str)
        }
    return [_without_prose(value) for value in node] if isinstance(node, list) else node


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, separators=(",", ":")), "utf-8")


def _compile(tree: Path, python: Path) -> None:
    """Replaces each .py by a .pyc, which Python imports without a source."""
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

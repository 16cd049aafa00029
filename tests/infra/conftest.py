"""Fixtures of the package's tests: a copy of the sources, and a package of them for each architecture."""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from zipfile import ZipFile

import pytest

from infra.package import host_architecture
from infra.packaging.build import Package, build
from infra.packaging.errors import PackageError
from infra.packaging.interpreters import RUNTIMES, interpreter
from tests.support.stack import ROOT

# The drill takes minutes: `make soak` runs it.
collect_ignore = [] if os.environ.get("CLOUDBERTH_SOAK") == "1" else ["test_restore.py"]

APP = (
    'from chalice.app import Chalice\n\napp = Chalice("tiny")\n\n\n@app.route("/")\ndef index():\n    return "hello"\n'
)
MACHINES = {"arm64": 0xB7, "x86_64": 0x3E}


@pytest.fixture(scope="session")
def python() -> Path:
    """Returns the Python of Lambda's runtime; without it the test is skipped, or fails if nothing may be skipped."""
    try:
        return interpreter(RUNTIMES[0])
    except PackageError as error:
        (pytest.fail if os.environ.get("CLOUDBERTH_NO_SKIPS") else pytest.skip)(str(error))


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copies the sources when the tests begin."""
    home = tmp_path_factory.mktemp("backend")
    for name in ("app.py", "CHANGELOG.md", "requirements.txt", ".chalice/config.json"):
        (home / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / name, home / name)
    shutil.copytree(ROOT / "chalicelib", home / "chalicelib", ignore=shutil.ignore_patterns("__pycache__"))
    return home


@pytest.fixture(scope="session")
def packages(python: Path, sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Package]:
    """Builds a package for each architecture."""
    output = tmp_path_factory.mktemp("build")
    return {name: build(sources, output / name, RUNTIMES[0], name) for name in MACHINES}


@pytest.fixture(params=sorted(MACHINES))
def package(request: pytest.FixtureRequest, packages: Mapping[str, Package]) -> Package:
    return packages[request.param]


@pytest.fixture(scope="session")
def tree(packages: Mapping[str, Package], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpacks the package that this machine can run."""
    unpacked = tmp_path_factory.mktemp("task")
    with ZipFile(packages[host_architecture()].path) as archive:
        archive.extractall(unpacked)
    return unpacked


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small Chalice project."""

    def write(app: str = APP, requirements: str = "", **functions: dict[str, int]) -> Path:
        home = tmp_path / "project"
        (home / ".chalice").mkdir(parents=True)
        (home / "chalicelib").mkdir()
        (home / "app.py").write_text(app)
        (home / "CHANGELOG.md").write_text("# Changelog\n")
        (home / "requirements.txt").write_text(requirements)
        stages = {"prod": {"lambda_functions": functions}}
        (home / ".chalice" / "config.json").write_text(json.dumps({"app_name": "tiny", "stages": stages}))
        return home

    return write

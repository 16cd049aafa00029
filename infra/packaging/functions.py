"""Reads the functions that app.py declares from Chalice's JSON for Terraform. It never uses Chalice's zip."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from chalice.config import Config

from infra.packaging.errors import PackageError
from infra.packaging.sources import CONFIG, copy_sources

STAGE = "prod"
CHALICE_MEMORY_MB = 128
# Chalice requires a region, but nothing that is read here depends on it.
REGION = "us-east-1"


def configuration(project: Path) -> dict[str, Any]:
    """Reads .chalice/config.json. Raises PackageError."""
    try:
        found: dict[str, Any] = json.loads((project / CONFIG).read_text("utf-8"))
    except FileNotFoundError:
        raise PackageError(f"{project / CONFIG} does not exist, so {project} holds no Chalice app.") from None
    except ValueError as error:
        raise PackageError(f"{project / CONFIG} is not JSON: {error}.") from None
    return found


def configured_architecture(config: dict[str, Any]) -> str:
    """Returns the default architecture of the package."""
    return Config(chalice_stage=STAGE, config_from_disk=config).lambda_architecture


def declared(project: Path, architecture: str, runtime: str) -> dict[str, Any]:
    """Returns the JSON of `chalice package` for an architecture and a runtime. Raises PackageError.

    Chalice runs on a clean copy without requirements, so that it downloads nothing and finds no files of an earlier run
    in .chalice/deployments. Its environment is empty, which proves that importing the app needs no variables.
    """
    with tempfile.TemporaryDirectory(prefix="cloudberth-chalice-") as scratch:
        copy = Path(scratch) / "project"
        copy_sources(project, copy)
        (copy / "requirements.txt").touch()
        (copy / CONFIG).parent.mkdir()
        shutil.copyfile(project / CONFIG, copy / CONFIG)
        document = _package(copy, Path(scratch) / "out")
    for function in _functions(document).values():
        function["runtime"], function["architectures"] = runtime, [architecture]
        # These name Chalice's own zip.
        del function["filename"], function["source_code_hash"]
    return document


def check(document: dict[str, Any], config: dict[str, Any]) -> None:
    """Raises PackageError for a function that would run with Chalice's default memory or timeout."""
    for name, function in sorted(_functions(document).items()):
        where = f"declare it in {CONFIG}, under stages.{STAGE}.lambda_functions.{name}"
        if function["memory_size"] == CHALICE_MEMORY_MB:
            raise PackageError(
                f"The function {name} has Chalice's default memory of {CHALICE_MEMORY_MB} MB, "
                f"which is too slow: {where}.lambda_memory_size."
            )
        if Config(chalice_stage=STAGE, function_name=name, config_from_disk=config).lambda_timeout is None:
            raise PackageError(f"The function {name} has no timeout of its own: {where}.lambda_timeout.")


def summary(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns handler, memory in MB and timeout in seconds of each function."""
    kept = ("handler", "memory_size", "timeout")
    return {name: {key: function[key] for key in kept} for name, function in sorted(_functions(document).items())}


def _functions(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = document["resource"]["aws_lambda_function"]
    return found


def _package(project: Path, out: Path) -> dict[str, Any]:
    command = [
        sys.executable,
        "-IB",
        "-c",
        "import sys; from chalice.cli import main; sys.exit(main())",
        "--project-dir",
        str(project),
    ]
    command += ["package", "--stage", STAGE, "--pkg-format", "terraform", str(out)]
    environment = {"AWS_DEFAULT_REGION": REGION, "HOME": str(project), "PATH": os.defpath}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, cwd=project)
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()] or ["it printed nothing"]
        raise PackageError(f"Chalice could not read the app: {lines[-1]}.")
    document: dict[str, Any] = json.loads((out / "chalice.tf.json").read_text("utf-8"))
    return document

"""Runs Terraform over copies of infra/terraform with mocked providers: validation, plans and `terraform test`."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

MODULE = Path(__file__).parents[2] / "infra" / "terraform"
EXAMPLES, TESTS = MODULE / "examples", MODULE / "tests"
API = TESTS / "builds" / "api"
# What a checkout may contain besides its files: a package, and the state of a developer's own installation.
LEFT_BEHIND = shutil.ignore_patterns(".terraform*", "build", "*.tfstate*", "*.auto.tfvars", "node_modules")


def program() -> str:
    """Returns the path of Terraform; without it a test is skipped, or fails if nothing may be skipped."""
    if found := shutil.which("terraform"):
        return found
    missing = "terraform is not installed: https://developer.hashicorp.com/terraform/install"
    if os.environ.get("CLOUDBERTH_NO_SKIPS"):
        pytest.fail(f"{missing} (CLOUDBERTH_NO_SKIPS is set)")
    pytest.skip(missing)


def terraform(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs Terraform in a directory, without the AWS account, variables and arguments of the environment."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_VAR_", "TF_CLI_ARGS"))
    }
    if not Path(environment.get("TF_CLI_CONFIG_FILE", "")).is_file():
        environment.pop("TF_CLI_CONFIG_FILE", None)
    environment |= {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
    command = [program(), *words]
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)


def initialised(directory: Path) -> Path:
    """Runs `terraform init` in a directory and returns it."""
    done = terraform(directory, "init", "-backend=false", "-no-color")
    assert done.returncode == 0, done.stderr
    return directory


@cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="cloudberth-terraform-")


@cache
def module() -> Path:
    """Returns an initialised copy of the module, one for each test process."""
    copy = Path(_scratch().name) / "module"
    shutil.copytree(MODULE, copy, symlinks=True, ignore=LEFT_BEHIND)
    return initialised(copy)


@cache
def _variables() -> Path:
    """Returns a directory with only the module's variables, which need no provider and are checked quickly."""
    place = Path(_scratch().name) / "variables"
    place.mkdir()
    for name in ("variables.tf", "settings.json"):
        shutil.copy(MODULE / name, place)
    return place


def refusals(values: Mapping[str, Any]) -> list[str]:
    """Returns Terraform's errors for these variables, one sentence each; an empty list if they are valid."""
    file = _variables() / "values.tfvars.json"
    file.write_text(json.dumps(values), "utf-8")
    done = terraform(_variables(), "plan", "-json", f"-var-file={file.name}")
    found = [_sentence(line) for line in _lines(done) if line["type"] == "diagnostic"]
    assert bool(found) == (done.returncode != 0), done.stderr
    return found


def accepts(example: Path) -> subprocess.CompletedProcess[str]:
    """Plans with the variables of an example and an existing package; returns the finished process."""
    return terraform(_variables(), "plan", "-no-color", f"-var-file={example}", f"-var=build={API}")


def declared_runs() -> Iterator[tuple[str, str]]:
    """Yields file and name of every `run` in the module's own tests."""
    for path in sorted(TESTS.glob("*.tftest.hcl")):
        for name in re.findall(r'^run "(\w+)"', path.read_text("utf-8"), re.MULTILINE):
            yield path.name.partition(".")[0], name


@dataclass
class Run:
    """The result of a run, with Terraform's errors."""

    status: str = "not run"
    faults: list[str] = field(default_factory=list)


@cache
def runs() -> Mapping[tuple[str, str], Run]:
    """Returns the results of `terraform test`, by file and name."""
    found = {key: Run() for key in declared_runs()}
    for line in _lines(terraform(module(), "test", "-json")):
        file = Path(line.get("@testfile", "")).name.partition(".")[0]
        run = found.setdefault((file, line.get("@testrun", "")), Run())
        match line["type"]:
            case "test_run" if line["test_run"]["progress"] == "complete":
                run.status = line["test_run"]["status"]
            case "diagnostic" if line["@level"] == "error":
                run.faults.append(_sentence(line))
    return found


@cache
def planned(file: str, name: str) -> Mapping[str, Mapping[str, Any]]:
    """Returns the resources that a run plans: attributes by address."""
    done = terraform(module(), "test", "-json", "-verbose", f"-filter=tests/{file}.tftest.hcl")
    for line in _lines(done):
        if line["type"] == "test_plan" and line["@testrun"] == name:
            return {change["address"]: change["change"]["after"] for change in line["test_plan"]["resource_changes"]}
    raise AssertionError(f"{file} has no run {name} that only plans: {done.stderr}")


def _lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def _sentence(line: Mapping[str, Any]) -> str:
    return f"{line['diagnostic']['summary']}: {line['diagnostic']['detail']}"

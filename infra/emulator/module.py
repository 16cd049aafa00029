"""Runs Terraform on a copy of infra/terraform that speaks to an emulator instead of AWS."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.emulator.account import ROOT_KEY
from infra.local.environment import LOOPBACK, ROOT
from infra.local.errors import StackError

MODULE = ROOT / "infra" / "terraform"
# A checkout may also hold a package, and Terraform's files of the developer's own installation.
LEFT_BEHIND = shutil.ignore_patterns(".terraform*", "build", "tests", "examples", "*.tfstate*", "*.auto.tfvars*")
# Every service that the module uses, by the names of the provider's `endpoints`.
SERVICES = (
    *("acm", "apigatewayv2", "budgets", "cloudfront", "cloudwatch", "dynamodb", "ec2", "ecs", "elbv2", "events"),
    *("iam", "kms", "lambda", "logs", "route53", "s3", "secretsmanager", "sns", "sqs", "sts", "wafv2"),
)
# The provider puts the account's number before this host, so that it cannot be an IP address; a proxy resolves it.
KEY_VALUE_STORE = "cloudfrontkeyvaluestore"
KEY_VALUE_STORE_URL = "http://key-value-store.test"


@dataclass(frozen=True)
class PlannedChange:
    """A planned change of a resource, and the attributes that cause it."""

    address: str
    actions: tuple[str, ...]
    attributes: tuple[str, ...]


@dataclass(frozen=True)
class ModuleVariables:
    """Values of the module's variables, and the key of who applies it.

    `settings` override `examples`, which are files of variables. An Emulator with `auth` asks IAM about `credentials`.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    examples: tuple[Path, ...] = ()
    credentials: Mapping[str, str] = field(default_factory=lambda: ROOT_KEY)


class TerraformModule:
    """A copy of infra/terraform in `directory` with its providers installed. Raises StackError with Terraform's output.

    `others` overrides the module (https://developer.hashicorp.com/terraform/language/files/override). `proxy` resolves
    the emulated hosts.
    """

    def __init__(
        self,
        directory: Path,
        emulator_url: str,
        variables: ModuleVariables,
        *,
        others: Mapping[str, Any] | None = None,
        proxy: str = "",
    ) -> None:
        self._directory, self._proxy = directory, proxy
        shutil.copytree(MODULE, directory, symlinks=True, ignore=LEFT_BEHIND)
        for path in variables.examples:
            shutil.copyfile(path, directory / f"examples-{path.stem}.auto.tfvars")
        self._settings: dict[str, Any] = {}
        self.change(**variables.settings)
        self._write("emulator_override.tf.json", {**_provider(emulator_url, variables.credentials), **(others or {})})
        self._run("init", "-backend=false")

    def change(self, **settings: Any) -> None:
        """Changes variables for the next commands."""
        self._settings |= settings
        self._write("settings.auto.tfvars.json", self._settings)

    def apply(self) -> None:
        """Runs `terraform apply`."""
        self._run("apply", "-auto-approve")

    def changes(self) -> list[PlannedChange]:
        """Plans another apply and returns its changes."""
        self._run("plan", "-out=next.tfplan")
        planned = json.loads(self._run("show", "-json", "next.tfplan"))
        return [_change(found) for found in planned["resource_changes"] if found["change"]["actions"] != ["no-op"]]

    def destroy(self) -> None:
        """Runs `terraform destroy`."""
        self._run("destroy", "-auto-approve")

    def replace(self, address: str, identifier: str) -> None:
        """Takes another resource into the state in place of the one there, which stays as it is and is forgotten."""
        self._run("state", "rm", address)
        self._run("import", address, identifier)

    def resources(self) -> list[str]:
        """Returns the addresses of all resources in Terraform's state."""
        return self._run("state", "list").split()

    def outputs(self) -> dict[str, Any]:
        """Returns the module's outputs by name."""
        return {name: output["value"] for name, output in json.loads(self._run("output", "-json")).items()}

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        (self._directory / name).write_text(json.dumps(content, indent=2), "utf-8")

    def _run(self, command: str, *words: str) -> str:
        words = words if command in ("output", "show", "state") else ("-no-color", *words)
        done = subprocess.run(
            [program(), command, *words],
            cwd=self._directory,
            env=self._environment(command),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise StackError(f"terraform {command} failed:\n{done.stderr.strip()}")
        return done.stdout

    def _environment(self, command: str) -> dict[str, str]:
        """Returns an environment without the developer's AWS account; only `init` uses the developer's proxy."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "TF_VAR_", "TF_CLI_ARGS")) and name.upper() not in PROXIES
        }
        if not Path(kept.get("TF_CLI_CONFIG_FILE", "")).is_file():
            kept.pop("TF_CLI_CONFIG_FILE", None)
        if command == "init":
            kept |= {name: value for name, value in os.environ.items() if name.upper() in PROXIES}
        elif self._proxy:
            kept |= {"HTTP_PROXY": self._proxy, "NO_PROXY": f"{LOOPBACK},localhost"}
        return kept | {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}


PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")


def program() -> str:
    """Returns the path of Terraform. Raises StackError if it is not installed."""
    if found := shutil.which("terraform"):
        return found
    raise StackError("terraform is not installed: https://developer.hashicorp.com/terraform/install")


def _provider(emulator_url: str, credentials: Mapping[str, str]) -> dict[str, Any]:
    """Returns the configuration that points both providers of the module at the emulator."""
    endpoints = dict.fromkeys(SERVICES, emulator_url) | {KEY_VALUE_STORE: KEY_VALUE_STORE_URL}
    turned = {
        "access_key": credentials["AccessKeyId"],
        "secret_key": credentials["SecretAccessKey"],
        "skip_credentials_validation": True,
        "skip_metadata_api_check": True,
        "s3_use_path_style": True,
        "endpoints": [endpoints],
    }
    return {"provider": {"aws": [turned, turned | {"alias": "global"}]}}


def _change(found: Mapping[str, Any]) -> PlannedChange:
    before, after = (found["change"][when] or {} for when in ("before", "after"))
    unknown = set(found["change"]["after_unknown"] or ())
    differing = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return PlannedChange(
        found["address"], tuple(found["change"]["actions"]), tuple(sorted(differing | unknown & set(after)))
    )

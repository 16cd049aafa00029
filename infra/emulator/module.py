"""Terraform over a copy of infra/terraform that speaks to an emulator instead of AWS."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.emulator.account import ROOT_KEY
from infra.local.environment import LOOPBACK, ROOT
from infra.local.errors import StackError

MODULE = ROOT / "infra" / "terraform"
# What a checkout may hold beside its files: a package, and what Terraform keeps of somebody's own installation.
LEFT_BEHIND = shutil.ignore_patterns(".terraform*", "build", "tests", "examples", "*.tfstate*", "*.auto.tfvars*")
# Every service that the module speaks to, in the provider's words.
SERVICES = (
    *("acm", "apigatewayv2", "cloudfront", "dynamodb", "ec2", "ecs", "elbv2", "events", "iam", "kms", "lambda", "logs"),
    *("route53", "s3", "secretsmanager", "sns", "sqs", "sts", "wafv2"),
)
# The account's number is put before this host, so that it cannot be an address; a proxy finds it.
KEY_VALUE_STORE = "cloudfrontkeyvaluestore"
KEY_VALUE_STORE_URL = "http://key-value-store.test"


@dataclass(frozen=True)
class PlannedChange:
    """What a plan would do to a resource, and the attributes for whose sake it would."""

    address: str
    actions: tuple[str, ...]
    attributes: tuple[str, ...]


class TerraformModule:
    """A copy of infra/terraform in `directory`, its providers installed. Raises StackError with Terraform's own words.

    `settings` are its variables, `examples` files of them that come first. `others` is merged over the module
    (https://developer.hashicorp.com/terraform/language/files/override). `proxy` finds what has no address.
    """

    def __init__(
        self,
        directory: Path,
        emulator_url: str,
        settings: Mapping[str, Any],
        *,
        examples: tuple[Path, ...] = (),
        others: Mapping[str, Any] | None = None,
        proxy: str = "",
    ) -> None:
        self._directory, self._proxy = directory, proxy
        shutil.copytree(MODULE, directory, symlinks=True, ignore=LEFT_BEHIND)
        for path in examples:
            shutil.copyfile(path, directory / f"examples-{path.stem}.auto.tfvars")
        self._write("settings.auto.tfvars.json", settings)
        self._write("emulator_override.tf.json", {**_provider(emulator_url), **(others or {})})
        self._run("init", "-backend=false")

    def apply(self) -> None:
        """Makes what is missing and changes what is otherwise."""
        self._run("apply", "-auto-approve")

    def changes(self) -> list[PlannedChange]:
        """What another apply would do."""
        self._run("plan", "-out=next.tfplan")
        planned = json.loads(self._run("show", "-json", "next.tfplan"))
        return [_change(found) for found in planned["resource_changes"] if found["change"]["actions"] != ["no-op"]]

    def destroy(self) -> None:
        """Removes all that was made."""
        self._run("destroy", "-auto-approve")

    def resources(self) -> list[str]:
        """Addresses of all that is there, as Terraform remembers it."""
        return self._run("state", "list").split()

    def outputs(self) -> dict[str, Any]:
        """The module's outputs by name."""
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
        """Nobody's AWS account, variables or arguments; the registry of providers is never asked through our proxy."""
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
    """Terraform. Raises StackError where it is not installed."""
    if found := shutil.which("terraform"):
        return found
    raise StackError("terraform is not installed: https://developer.hashicorp.com/terraform/install")


def _provider(emulator_url: str) -> dict[str, Any]:
    """Both providers of the module, turned to the emulator."""
    endpoints = dict.fromkeys(SERVICES, emulator_url) | {KEY_VALUE_STORE: KEY_VALUE_STORE_URL}
    turned = {
        "access_key": ROOT_KEY["AccessKeyId"],
        "secret_key": ROOT_KEY["SecretAccessKey"],
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

"""Runs the whole life of a deployment on an emulated AWS: apply, keys, first user, the URL of clients, destroy."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from infra.emulator.account import REGION, EmulatedAccount
from infra.emulator.front import Front
from infra.emulator.module import KEY_VALUE_STORE_URL, ModuleVariables, PlannedChange, TerraformModule
from infra.local.environment import LOOPBACK, ROOT
from infra.local.errors import StackError

MINIMAL: dict[str, Any] = {"name": "registry", "region": REGION, "deletion_protection": False}
COMMAND_S = 60
NO_MORE_VARIABLES = ModuleVariables()


class Deployment:
    """infra/terraform, applied to an emulator. Methods raise StackError with the output of the program that failed.

    `build` is the directory of a package for `architecture`, which must be this machine's, since the emulator runs the
    functions here. `variables` are further variables of the module, and the key for Terraform and the commands of its
    outputs; `account` is the root's. After `deploy`, clients reach the registry at `url` and sign in as `admin` with
    `password`.
    """

    admin, password = "admin", "a-password-of-the-emulator"

    def __init__(
        self,
        emulator_url: str,
        directory: Path,
        build: Path,
        architecture: str,
        variables: ModuleVariables = NO_MORE_VARIABLES,
    ) -> None:
        self.account = EmulatedAccount(emulator_url)
        self.front = Front(emulator_url)
        self.module = TerraformModule(
            directory,
            emulator_url,
            ModuleVariables(
                {**MINIMAL, "build": str(build), "architecture": architecture, **variables.settings},
                variables.examples,
                variables.credentials,
            ),
            # No resolver knows the host name of an emulated HTTP API.
            others={"locals": {"host": self.front.host, "url": self.front.url}},
            proxy=self.front.proxy,
        )
        self._credentials = variables.credentials
        self._outputs: dict[str, Any] = {}

    @property
    def host(self) -> str:
        """Returns the registry part of an image's name: `localhost:…`."""
        return self.front.host

    @property
    def url(self) -> str:
        return self.front.url

    @property
    def outputs(self) -> Mapping[str, Any]:
        """Returns the outputs of the last `apply`; Terraform leaves out those that are null."""
        return self._outputs

    def deploy(self) -> None:
        """Applies the module, fills its keys and makes the first user, so that the registry answers."""
        self.apply()
        self.run(self.outputs["fill_keys"])
        self.run(self.outputs["first_user"])

    def apply(self) -> None:
        """Applies the module and routes clients to the result."""
        self.module.apply()
        self._outputs = self.module.outputs()
        self.front.route.api_id = self.outputs["api_id"]
        if distribution := self.outputs.get("distribution_id"):
            found = self.account.client("cloudfront").get_distribution(Id=distribution)
            self.front.route.distribution = found["Distribution"]["DomainName"]

    def changes(self) -> list[PlannedChange]:
        """Returns what another apply would change."""
        return self.module.changes()

    def destroy(self) -> None:
        """Removes everything that `apply` made."""
        self.module.destroy()

    def run(self, line: str) -> str:
        """Runs one of the command lines in Terraform's outputs and returns what it printed."""
        python, *words = shlex.split(line)
        command = [sys.executable if python == "python" else python, *words]
        done = subprocess.run(
            command, cwd=ROOT, env=self._environment(), capture_output=True, text=True, timeout=COMMAND_S, check=False
        )
        if done.returncode != 0:
            raise StackError(f"{line} failed:\n{done.stdout}{done.stderr}".rstrip())
        return done.stdout.strip()

    def close(self) -> None:
        """Stops the front; the resources stay in the emulator."""
        self.front.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def _environment(self) -> dict[str, str]:
        """Returns the environment of an operator whose only AWS account is the emulated one."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CLOUDBERTH_"))}
        exempt = f"{LOOPBACK},localhost"
        return kept | {
            "AWS_ENDPOINT_URL": self.account.url,
            "AWS_ENDPOINT_URL_CLOUDFRONT_KEYVALUESTORE": KEY_VALUE_STORE_URL,
            "AWS_ACCESS_KEY_ID": self._credentials["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": self._credentials["SecretAccessKey"],
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "CLOUDBERTH_ADMIN_PASSWORD": self.password,
            "HTTP_PROXY": self.front.proxy,
            "http_proxy": self.front.proxy,
            "NO_PROXY": exempt,
            "no_proxy": exempt,
        }

"""`python -m benchmarks.apply_soak`: applies the module with all options to an emulated AWS, uses and destroys it.

It applies examples/everything.tfvars (CloudFront, WAF, domain, relay, access logs, one KMS key) with IAM enforced,
makes the keys and the first user, plans again, pushes and pulls a layer of each size through CloudFront, and destroys.
It prints a table of times. It fails if the second plan has a change that is not in KNOWN_DRIFTS, if other bytes come
back, or if a resource is left.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

from benchmarks.report import table
from infra.emulator.account import REGION, EmulatedAccount
from infra.emulator.deployment import Deployment
from infra.emulator.emulator import Emulator
from infra.emulator.module import MODULE, ModuleVariables
from infra.local.errors import StackError
from infra.package import ROOT, host_architecture
from infra.packaging.build import build
from infra.packaging.errors import PackageError
from infra.packaging.interpreters import RUNTIMES

EVERYTHING = MODULE / "examples" / "everything.tfvars"
DOMAIN = "registry.example.com"
# The sizes of single PUTs in bytes: one for the app, and one above its limit, which CloudFront sends to the bucket.
SIZES = (3_000_000, 20_000_000)
# Resource -> why the emulator does not show an attribute, so that a second plan sets it again.
KNOWN_DRIFTS = {
    "aws_cloudwatch_metric_alarm.this": "DescribeAlarms answers with some of the fields that it keeps",
    "aws_ecs_service.relay": "it does not keep availability_zone_rebalancing, which the provider reads as DISABLED",
}


class Steps:
    """Records the steps and their durations in seconds."""

    def __init__(self) -> None:
        self.lines: list[list[str]] = []

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.lines.append([name, f"{time.perf_counter() - began:.1f}"])
        print(f"  {name}: {self.lines[-1][1]} s", flush=True)


def main() -> int:
    """Returns the exit status: 1, with a sentence for each failure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.apply_soak", description=__doc__)
    parser.add_argument("--directory", type=Path, help="where temporary files are kept")
    arguments = parser.parse_args()
    steps = Steps()
    try:
        with tempfile.TemporaryDirectory(prefix="cloudberth-apply-", dir=arguments.directory) as directory:
            complaints = _soak(Path(directory), steps)
    except (StackError, PackageError, requests.RequestException) as error:
        complaints = [str(error)]
    print(table(["step", "seconds"], steps.lines))
    for complaint in complaints:
        print(f"apply soak: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


def _soak(directory: Path, steps: Steps) -> list[str]:
    architecture = host_architecture()
    with steps("package"):
        build(ROOT, directory / "build", RUNTIMES[0], architecture)
    with ExitStack() as stack:
        emulator = stack.enter_context(Emulator(directory / "aws", auth=True))
        settings = _make_prerequisites(EmulatedAccount(emulator.url))
        with steps("terraform init"):
            deployment = stack.enter_context(
                Deployment(
                    *(emulator.url, directory / "terraform", directory / "build", architecture),
                    variables=ModuleVariables(settings, (EVERYTHING,)),
                )
            )
        with steps("apply, keys, first user"):
            deployment.deploy()
        with steps("second plan"):
            drifts = {change.address: change.attributes for change in deployment.changes()}
        complaints = [
            f"a second plan would change {address}: {', '.join(attributes)}"
            for address, attributes in drifts.items()
            if _resource(address) not in KNOWN_DRIFTS
        ]
        complaints += [f"{one} no longer drifts" for one in KNOWN_DRIFTS.keys() - set(map(_resource, drifts))]
        for size in SIZES:
            with steps(f"push and pull {size:,} bytes"):
                complaints += _push_and_pull(deployment, size)
        with steps("destroy"):
            deployment.destroy()
        complaints += [f"{address} is left" for address in deployment.module.resources()]
    return complaints


def _resource(address: str) -> str:
    """Returns the address of a resource without the index of its instance."""
    return address.partition("[")[0]


def _make_prerequisites(account: EmulatedAccount) -> dict[str, Any]:
    """Makes the resources that the module expects to exist, and returns the variables that name them."""
    ec2 = account.client("ec2")
    network = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=network, CidrBlock=f"10.1.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")
        for number, zone in enumerate("ab")
    ]
    zone = account.client("route53").create_hosted_zone(Name=DOMAIN, CallerReference=DOMAIN)["HostedZone"]["Id"]
    anything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    boundary = account.client("iam").create_policy(
        PolicyName="developers", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [anything]})
    )
    return {
        "relay": {"image": "relay", "vpc_id": network, "subnet_ids": [each["Subnet"]["SubnetId"] for each in subnets]},
        "domain": {"name": DOMAIN, "zone_id": zone.rpartition("/")[2]},
        "kms_key_arn": account.client("kms").create_key()["KeyMetadata"]["Arn"],
        "permissions_boundary_arn": boundary["Policy"]["Arn"],
    }


def _push_and_pull(deployment: Deployment, size: int) -> list[str]:
    """Pushes a layer by one PUT and pulls it again; returns a sentence for each failure."""
    content, repository = os.urandom(size), f"{deployment.admin}/soak"
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    scope = {"service": deployment.host, "scope": f"repository:{repository}:pull,push"}
    token = requests.get(f"{deployment.url}/v2/auth", scope, auth=(deployment.admin, deployment.password), timeout=60)
    token.raise_for_status()
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token.json()['token']}"
    started = session.post(f"{deployment.url}/v2/{repository}/blobs/uploads/", timeout=60)
    started.raise_for_status()
    location = urljoin(deployment.url, started.headers["Location"])
    octets = {"Content-Type": "application/octet-stream"}
    sent = session.put(location, content, params={"digest": digest}, headers=octets, timeout=120)
    if sent.status_code != 201:
        return [f"a PUT of {size:,} bytes got {sent.status_code}: {sent.text[:500]}"]
    pulled = session.get(f"{deployment.url}/v2/{repository}/blobs/{digest}", timeout=120)
    if pulled.status_code != 200:
        return [f"a GET of {size:,} bytes got {pulled.status_code}: {pulled.text[:500]}"]
    return [] if pulled.content == content else [f"{size:,} bytes came back changed"]


if __name__ == "__main__":
    sys.exit(main())

"""`python -m benchmarks.apply_soak`: all that can stand in front, applied to an emulated AWS, used, and destroyed.

The module with examples/everything.tfvars (CloudFront, WAF, domain, relay, access logs, one KMS key), IAM enforced:
apply, keys, first user, second plan, a push and a pull of each size through CloudFront, destroy. Prints a table of
times. Fails when the second plan would change what the emulator is not known to forget, other bytes come back, or
anything is left.
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
from infra.emulator.module import MODULE
from infra.local.errors import StackError
from infra.package import ROOT, host_architecture
from infra.packaging.build import build
from infra.packaging.errors import PackageError
from infra.packaging.interpreters import RUNTIMES

EVERYTHING = MODULE / "examples" / "everything.tfvars"
DOMAIN = "registry.example.com"
# By one PUT: below the app's limit, and above it, which CloudFront sends to the bucket.
SIZES = (3_000_000, 20_000_000)
# What the emulator forgets of what it was told, so that a second plan would tell it again: address -> why.
KNOWN_DRIFTS = {
    "aws_ecs_service.relay[0]": "it does not keep availability_zone_rebalancing, which the provider reads as DISABLED",
}


class Steps:
    """What was done and how long it took, in seconds."""

    def __init__(self) -> None:
        self.lines: list[list[str]] = []

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.lines.append([name, f"{time.perf_counter() - began:.1f}"])
        print(f"  {name}: {self.lines[-1][1]} s", flush=True)


def main() -> int:
    """Exit status: 1 with a sentence for each thing that is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.apply_soak", description=__doc__)
    parser.add_argument("--directory", type=Path, help="where all is kept meanwhile")
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
        settings = _what_must_be_there(EmulatedAccount(emulator.url))
        with steps("terraform init"):
            made = stack.enter_context(
                Deployment(
                    *(emulator.url, directory / "terraform", directory / "build", architecture),
                    settings=settings,
                    examples=(EVERYTHING,),
                )
            )
        with steps("apply, keys, first user"):
            made.deploy()
        with steps("second plan"):
            drifts = {change.address: change.attributes for change in made.changes()}
        complaints = [
            f"a second plan would change {address}: {', '.join(attributes)}"
            for address, attributes in drifts.items()
            if address not in KNOWN_DRIFTS
        ]
        complaints += [f"{address} drifts no longer" for address in KNOWN_DRIFTS.keys() - drifts.keys()]
        for size in SIZES:
            with steps(f"push and pull {size:,} bytes"):
                complaints += _carry(made, size)
        with steps("destroy"):
            made.destroy()
        complaints += [f"{address} is left" for address in made.module.resources()]
    return complaints


def _what_must_be_there(account: EmulatedAccount) -> dict[str, Any]:
    """Makes what the examples' variables name; those variables with the names of what was made."""
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


def _carry(made: Deployment, size: int) -> list[str]:
    """Pushes a layer by one PUT and pulls it again; what is wrong, in sentences."""
    content, repository = os.urandom(size), f"{made.admin}/soak"
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    scope = {"service": made.host, "scope": f"repository:{repository}:pull,push"}
    asked = requests.get(f"{made.url}/v2/auth", scope, auth=(made.admin, made.password), timeout=60)
    asked.raise_for_status()
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {asked.json()['token']}"
    begun = session.post(f"{made.url}/v2/{repository}/blobs/uploads/", timeout=60)
    begun.raise_for_status()
    place = urljoin(made.url, begun.headers["Location"])
    octets = {"Content-Type": "application/octet-stream"}
    sent = session.put(place, content, params={"digest": digest}, headers=octets, timeout=120)
    if sent.status_code != 201:
        return [f"a PUT of {size:,} bytes got {sent.status_code}: {sent.text[:500]}"]
    pulled = session.get(f"{made.url}/v2/{repository}/blobs/{digest}", timeout=120)
    if pulled.status_code != 200:
        return [f"a GET of {size:,} bytes got {pulled.status_code}: {pulled.text[:500]}"]
    return [] if pulled.content == content else [f"{size:,} bytes came back otherwise"]


if __name__ == "__main__":
    sys.exit(main())

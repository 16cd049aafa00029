"""`python -m benchmarks.apply_soak`: applies the module to an emulated AWS, uses and destroys it, in two variants.

The first has no options, the second those of examples/everything.tfvars (CloudFront, WAF, domain, relay, access logs,
one KMS key). IAM is enforced. It makes the keys and the first user, plans again, pushes and pulls a layer of each size,
runs `make smoke`, makes a setting wrong by hand, and destroys. It prints a table of times. It fails if the second plan
has a change that is not in KNOWN_DRIFTS, if other bytes come back, if a claim of the smoke test fails, if strangers are
told of a wrong setting or the operator is not, or if a resource is left.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

from benchmarks.report import table
from infra.emulator.account import REGION, EmulatedAccount
from infra.emulator.deployment import Deployment
from infra.emulator.emulator import Emulator
from infra.emulator.front import Front
from infra.emulator.module import MODULE, ModuleVariables
from infra.local.environment import LOOPBACK
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
    "aws_cloudfront_response_headers_policy.edge": "it answers with empty lists of headers, which AWS leaves out",
    "aws_cloudwatch_metric_alarm.this": "DescribeAlarms answers with some of the fields that it keeps",
    "aws_ecs_service.relay": "it does not keep availability_zone_rebalancing, which the provider reads as DISABLED",
}


@dataclass(frozen=True)
class Variant:
    """An installation that is applied: its files of variables, and the drifts of its second plan with the reasons."""

    name: str
    examples: tuple[Path, ...] = ()
    drifts: Mapping[str, str] = field(default_factory=dict)


VARIANTS = (Variant("default"), Variant("everything", (EVERYTHING,), KNOWN_DRIFTS))


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
    with steps("package"):
        build(ROOT, directory / "build", RUNTIMES[0], host_architecture())
    complaints = []
    for variant in VARIANTS:
        with ExitStack() as stack:
            place = directory / variant.name
            emulator = stack.enter_context(Emulator(place / "aws", auth=True))
            with steps(f"{variant.name}: terraform init"):
                values = _make_prerequisites(EmulatedAccount(emulator.url)) if variant.examples else {}
                deployment = stack.enter_context(
                    Deployment(
                        *(emulator.url, place / "terraform", directory / "build", host_architecture()),
                        variables=ModuleVariables(values, variant.examples),
                    )
                )
            complaints += [f"{variant.name}: {one}" for one in _use(deployment, variant, steps)]
    return complaints


def _use(deployment: Deployment, variant: Variant, steps: Steps) -> list[str]:
    """Applies, uses and destroys an installation; returns a sentence for each failure."""
    with steps(f"{variant.name}: apply, keys, first user"):
        deployment.deploy()
    with steps(f"{variant.name}: second plan"):
        drifts = {change.address: change.attributes for change in deployment.changes()}
    complaints = [
        f"a second plan would change {address}: {', '.join(attributes)}"
        for address, attributes in drifts.items()
        if _resource(address) not in variant.drifts
    ]
    complaints += [f"{one} no longer drifts" for one in variant.drifts.keys() - set(map(_resource, drifts))]
    for size in SIZES if variant.examples else SIZES[:1]:
        with steps(f"{variant.name}: push and pull {size:,} bytes"):
            complaints += _push_and_pull(deployment, size)
    with steps(f"{variant.name}: smoke"), _relay(deployment) if variant.examples else nullcontext():
        complaints += _smoke(deployment)
    with steps(f"{variant.name}: a wrong setting"):
        complaints += _misconfigure(deployment)
    with steps(f"{variant.name}: destroy"):
        deployment.destroy()
    return complaints + [f"{address} is left" for address in deployment.module.resources()]


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


@contextmanager
def _relay(deployment: Deployment) -> Iterator[None]:
    """Plays Fargate, which the emulator does not: runs the relay as a target of its load balancer, with its key."""
    gateway = Front(deployment.account.url)
    gateway.route.api_id = deployment.outputs["api_id"]
    keys = deployment.account.client("secretsmanager").get_secret_value(SecretId=deployment.outputs["keys_arn"])
    with socket.create_server((LOOPBACK, 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as spool:
        command = (sys.executable, "-m", "relay", "serve", "--listen", f"{LOOPBACK}:{port}", "--spool", spool)
        process = subprocess.Popen(
            [*command, "--registry", gateway.url],
            cwd=ROOT,
            env=os.environ | {"RELAY_KEY": json.loads(keys["SecretString"])["relay"]},
        )
        try:
            balancers = deployment.account.client("elbv2")
            (group,) = balancers.describe_target_groups()["TargetGroups"]
            balancers.register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=[{"Id": LOOPBACK, "Port": port}])
            yield
        finally:
            process.terminate()
            process.wait()
            gateway.stop()


def _smoke(deployment: Deployment) -> list[str]:
    """Runs `make smoke`; returns its lines of what fails."""
    done = subprocess.run(
        [sys.executable, "-m", "infra.smoke", deployment.url],
        cwd=ROOT,
        env=os.environ | {"CLOUDBERTH_PASSWORD": deployment.password},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout, flush=True)
    return [] if done.returncode == 0 else [f"smoke ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr}"]


def _misconfigure(deployment: Deployment) -> list[str]:
    """Gives the API a wrong setting by hand, past the checks of `plan`, and looks what a stranger and the log see."""
    functions, name = deployment.account.client("lambda"), deployment.outputs["functions"]["api_handler"]
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    wrong = variables | {"CLOUDBERTH_PULL_LOG": "never"}
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": wrong})
    answer = requests.get(f"{deployment.url}/v2/auth", {"service": deployment.host}, timeout=60)
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
    again = requests.get(f"{deployment.url}/v2/auth", {"service": deployment.host}, timeout=60)
    log = deployment.account.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    complaints = []
    if answer.status_code != 503 or "PULL_LOG" in answer.text:
        complaints.append(f"with a wrong setting the registry answered {answer.status_code}: {answer.text[:300]}")
    if not any("setting invalid" in event["message"] and "CLOUDBERTH_PULL_LOG" in event["message"] for event in log):
        complaints.append("no line of the log names the wrong setting")
    if again.status_code != 200:
        complaints.append(f"after the wrong setting was mended the registry answered {again.status_code}")
    return complaints


if __name__ == "__main__":
    sys.exit(main())

"""infra/terraform is formatted and valid, passes its own tests and checkov, and refuses what AWS would refuse."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra import setting_rules
from tests.support.terraforming import (
    API,
    EXAMPLES,
    MODULE,
    accepts,
    declared_runs,
    initialised,
    module,
    refusals,
    runs,
)
from tests.support.terraforming import terraform as run_terraform

ROOT = Path(__file__).parents[2]
GOOD = {"name": "registry", "region": "eu-central-1", "build": str(API)}
RELAY = {"image": "relay", "vpc_id": "vpc-1", "subnet_ids": ["subnet-1", "subnet-2"]}
OWN_CERTIFICATE = "arn:aws:acm:eu-central-1:123456789012:certificate/own"


def test_every_file_is_formatted() -> None:
    done = run_terraform(MODULE, "fmt", "-check", "-recursive", "-diff")

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_module_is_valid() -> None:
    done = run_terraform(module(), "validate", "-json")

    assert json.loads(done.stdout)["diagnostics"] == []


def test_a_module_around_it_is_valid() -> None:
    done = run_terraform(initialised(module() / "examples" / "platform"), "validate", "-json")

    assert json.loads(done.stdout)["diagnostics"] == []


@pytest.mark.parametrize(("file", "name"), list(declared_runs()))
def test_terraform_test(file: str, name: str) -> None:
    run = runs()[file, name]

    assert (run.status, run.faults) == ("pass", [])


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.tfvars")), ids=lambda path: path.stem)
def test_every_example_is_accepted(example: Path) -> None:
    done = accepts(example)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["r2d", "a-registry-of-24-letters", "registry-test"])
def test_a_good_name_is_accepted(name: str) -> None:
    assert refusals(GOOD | {"name": name}) == []


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("rg", "name: rg has 2 characters, and it needs 3 to 24: a load balancer's name takes 32"),
        ("a-registry-of-25-letters-", "has 25 characters, and it needs 3 to 24"),
        ("Registry", "has other characters than lowercase letters, digits and hyphens: S3 takes no others"),
        ("my_registry", "has other characters than lowercase letters, digits and hyphens: S3 takes no others"),
        ("9lives", "must begin with a letter and must not end in a hyphen"),
        ("registry-", "must begin with a letter and must not end in a hyphen"),
        ("my--registry", "has two hyphens in a row: S3 keeps such names for itself"),
        ("xn--registry", "begins with what AWS keeps for itself: xn--, sthree- and amzn-s3-demo- (S3)"),
        ("internal-registry", "begins with what AWS keeps for itself"),
    ],
)
def test_a_name_that_aws_would_refuse_is_refused_with_the_reason(name: str, why: str) -> None:
    assert any(why in sentence for sentence in refusals(GOOD | {"name": name}))


@pytest.mark.parametrize("missing", ["name", "region"])
def test_a_variable_that_is_missing_is_named(missing: str) -> None:
    values = {name: value for name, value in GOOD.items() if name != missing}

    (sentence,) = refusals(values)

    assert sentence.startswith(f'No value for required variable: The root module input variable "{missing}" is not set')


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"region": "Frankfurt"}, "region: Frankfurt is not the name of an AWS region, which looks like eu-central-1."),
        ({"settings": {"CLOUDBERTH_TABLE": "t"}}, "settings: CLOUDBERTH_TABLE cannot be set here. What can: CLOUD"),
        (
            {"settings": {"CLOUDBERTH_PULL_LOG": "none"}},
            "settings: CLOUDBERTH_PULL_LOG = none (it takes one of hourly, all). The registry would refuse every",
        ),
        ({"settings": {"CLOUDBERTH_TOKEN_S": "5m"}}, "CLOUDBERTH_TOKEN_S = 5m (it takes a whole number, 0 or more)."),
        ({"settings": {"CLOUDBERTH_GRACE_S": "900"}}, "CLOUDBERTH_GRACE_S must exceed CLOUDBERTH_PRESIGN_S"),
        ({"throttle": {"rate": 0}}, "throttle: rate 0 and burst 2000 are not within 1 to 10,000"),
        ({"concurrency": 0}, "concurrency: 0 would refuse every request; null takes the account's."),
        ({"budget": {"usd": 5, "emails": []}}, "budget: usd must be above 0, and emails has 1 to 10 addresses"),
        ({"waf": True}, "waf needs cloudfront = true: AWS WAF cannot stand before an HTTP API."),
        ({"allowed_addresses": ["198.51.100.0/24"]}, "allowed_addresses needs cloudfront = true: an HTTP API cannot"),
        (
            {"cloudfront": True, "allowed_addresses": ["10.0.0.1", "0.0.0.0/0", "198.51.100.0/24"]},
            "allowed_addresses: 10.0.0.1, 0.0.0.0/0 is not what AWS WAF takes: CIDR notation such as 198.51.100.0/24",
        ),
        ({"cloudfront": True, "waf_requests": 5}, "waf_requests: 5 is not within 10 to 2,000,000,000"),
        (
            {"cloudfront": True, "waf": True, "waf_version": "1.22"},
            "waf_version: 1.22 is not the name of a version, which looks like Version_1.22.",
        ),
        ({"waf_version": "Version_1.22"}, "waf_version needs waf = true: without it there is no rule group."),
        ({"relay": RELAY}, "relay needs cloudfront = true: CloudFront tells bodies for the relay from all others."),
        (
            {"cloudfront": True, "relay": RELAY | {"subnet_ids": ["subnet-1", "subnet-1"]}},
            "relay: subnet_ids needs two subnets in different zones, or the load balancer is refused.",
        ),
        (
            {"cloudfront": True, "relay": RELAY | {"architecture": "arm64"}},
            "relay: architecture arm64 is neither ARM64 nor X86_64, in Fargate's own spelling.",
        ),
        ({"cloudfront": True, "upload_proof": "trust"}, "upload_proof: trust is none of checksum, payload, staging."),
        (
            {"domain": {"name": "https://registry.example.com", "zone_id": "Z1"}},
            "domain: https://registry.example.com is not a host name in lowercase, such as registry.example.com",
        ),
        ({"domain": {"name": "registry.example.com"}}, "domain: registry.example.com needs zone_id, so that"),
        (
            {"domain": {"name": "registry.example.com", "certificate_arn": OWN_CERTIFICATE}, "cloudfront": True},
            "is not a certificate in us-east-1, where CloudFront looks for them.",
        ),
        (
            {"domain": {"name": "registry.example.com", "certificate_arn": OWN_CERTIFICATE}, "region": "eu-west-1"},
            "is not a certificate in eu-west-1, where the gateway looks for them.",
        ),
        ({"kms_key_arn": "alias/registry"}, "kms_key_arn: alias/registry is not the ARN of a key (not of an alias) in"),
        ({"log_retention_days": 42}, "log_retention_days: CloudWatch does not take 42, but 1, 3, 5, 7, 14, 30, 60"),
        ({"versions_days": 0.5}, "versions_days: 0.5 is not a whole number of days within 0 to 3,650."),
        (
            {"table": "a table"},
            "table: a table is not what DynamoDB takes: 3 to 255 letters, digits, hyphens, dots and",
        ),
        ({"tags": {"aws:owner": "us", "Team": "we"}}, "tags: aws:owner begins with aws:, which AWS keeps for itself."),
    ],
)
def test_what_aws_would_refuse_is_refused_by_a_sentence(values: dict[str, Any], why: str) -> None:
    sentences = refusals(GOOD | values)

    assert len(sentences) == 1
    assert why in sentences[0]


def test_another_processor_than_lambda_has_is_refused() -> None:
    sentences = refusals(GOOD | {"architecture": "mips"})

    assert "architecture: mips is neither arm64 nor x86_64: Lambda has no other processors." in sentences[0]


def package(place: Path, **changes: Any) -> str:
    """Copies the package of the module's tests with another package.json."""
    shutil.copytree(API, place)
    manifest = json.loads((place / "package.json").read_text("utf-8"))
    (place / "package.json").write_text(json.dumps(manifest | changes), "utf-8")
    return str(place)


def test_a_missing_package_is_refused(tmp_path: Path) -> None:
    sentences = refusals(GOOD | {"build": str(tmp_path)})

    assert (
        f"Invalid value for variable: build: there is no package in {tmp_path}. Run `python -m infra.package` first."
        in (sentence.partition("\n")[0] for sentence in sentences)
    )


def test_a_package_for_another_processor_is_refused_before_it_is_uploaded(tmp_path: Path) -> None:
    (sentence,) = refusals(GOOD | {"build": package(tmp_path / "build", architecture="x86_64")})

    assert f"architecture: the package in {tmp_path}/build is built for another processor than arm64" in sentence
    assert "Run `python -m infra.package --arch arm64`, or set architecture." in sentence
    assert refusals(GOOD | {"build": str(tmp_path / "build"), "architecture": "x86_64"}) == []


def test_a_zip_that_is_not_the_one_that_was_described_is_refused(tmp_path: Path) -> None:
    build = package(tmp_path / "build")
    (tmp_path / "build" / "deployment-arm64.zip").write_bytes(b"another")

    (sentence,) = refusals(GOOD | {"build": build})

    assert "is not the one that its package.json was written for. Run `python -m infra.package` again." in sentence


@pytest.mark.parametrize(("memory", "timeout"), [(128, 29), (1769, 60)])
def test_an_api_too_small_or_too_slow_is_refused(tmp_path: Path, memory: int, timeout: int) -> None:
    functions = {"api_handler": {"handler": "app.app", "memory_size": memory, "timeout": timeout}}

    (sentence,) = refusals(GOOD | {"build": package(tmp_path / "build", functions=functions)})

    assert "has chalice's own 128 MB, or the API more than 29 s, after which the gateway has left." in sentence


def test_terraform_makes_no_key_that_its_state_would_hold() -> None:
    types = {
        word
        for path in MODULE.glob("*.tf")
        for word in re.findall(r'^(?:resource|data) "(\w+)"', path.read_text("utf-8"), re.MULTILINE)
    }

    assert "aws_secretsmanager_secret" in types
    assert {word for word in types if re.search("secret_version|random|password|access_key|tls_", word)} == set()


def test_the_rules_of_settings_are_those_of_the_code() -> None:
    assert setting_rules.FILE.read_text("utf-8") == setting_rules.text(), "run: python -m infra.setting_rules"


def test_good_settings_are_accepted() -> None:
    settings = {
        "CLOUDBERTH_FAST_READS": "No",
        "CLOUDBERTH_OUTGOING_ALLOW": "a.example, ::1",
        "CLOUDBERTH_TOKEN_S": "60",
    }

    assert refusals(GOOD | {"settings": settings}) == []


def test_the_runbook_has_every_alarm() -> None:
    text = (MODULE / "watch.tf").read_text("utf-8").partition("queries = {")[0]
    named = set(re.findall(r"^      ([a-z-]+) = {", text, re.MULTILINE))
    runbook = (ROOT / "docs" / "runbook.md").read_text("utf-8")

    assert len(named) >= 8
    assert [alarm for alarm in sorted(named) if f"`{alarm}`" not in runbook] == []


@pytest.mark.parametrize(("kind", "file"), [("variable", "variables.tf"), ("output", "outputs.tf")])
def test_the_modules_readme_has_every_variable_and_output_and_no_other(kind: str, file: str) -> None:
    declared = set(re.findall(rf'^{kind} "(\w+)"', (MODULE / file).read_text("utf-8"), re.MULTILINE))
    chapter = (MODULE / "README.md").read_text("utf-8").partition(f"## {kind.capitalize()}s")[2].partition("\n## ")[0]
    rows = "".join(line for line in chapter.splitlines() if line.startswith("|"))

    assert set(re.findall(r"`(\w+)`", rows)) == declared


def test_destroy_is_refused_before_any_resource_is_gone() -> None:
    text = "".join(path.read_text("utf-8") for path in sorted(MODULE.glob("*.tf")))
    resources = {f"{kind}.{name}" for kind, name in re.findall(r'^resource "(\w+)" "(\w+)"', text, re.MULTILINE)}
    depends = (MODULE / "protection.tf").read_text("utf-8").partition("depends_on = [")[2]

    assert set(re.findall(r"\w+\.\w+", depends)) == resources - {"terraform_data.protection"}


def test_checkov_finds_nothing_without_a_written_reason() -> None:
    words = ["-d", str(MODULE), "--framework", "terraform", "--var-file", str(EXAMPLES / "everything.tfvars")]
    lock = ROOT / "requirements" / "checkov.txt"
    checkov = [str(Path(sys.executable).parent / "uv"), "run", "--quiet", "--no-project", "--isolated"]
    checkov += ["--with-requirements", str(lock), "checkov", *words, "--skip-download", "--output", "json"]

    done = subprocess.run(checkov, capture_output=True, text=True, check=False, cwd=ROOT)

    results = json.loads(done.stdout)["results"]
    assert len(results["passed_checks"]) > 100
    assert [(check["check_id"], check["resource"]) for check in results["failed_checks"]] == []
    assert all(len(check["check_result"]["suppress_comment"]) > 10 for check in results["skipped_checks"])


def test_the_gateway_logs_no_path_since_some_paths_contain_secrets() -> None:
    assert "$context.requestId" in (MODULE / "logs.tf").read_text()
    assert "$context.path" not in (MODULE / "logs.tf").read_text()

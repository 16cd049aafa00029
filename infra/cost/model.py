"""How much of each priced thing an installation uses in a month of 30.4 days, and what that costs."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

DAYS = 365 / 12
HOURS = 24 * DAYS
# Requests of Lambda to the queue of mirrors: five pollers ask at least every 20 s, whether or not there are messages.
POLLED = 5 * HOURS * 180
GB = 1e9
TB_IN_GB = 1000
# Up to so many requests a month, API Gateway takes its first price.
FIRST_REQUESTS = 300e6
# Memory of the functions in GB (.chalice/config.json).
API_GB, JOB_GB = 1769 / 1024, 0.5

# The blobs of the pulled image: a config and four layers.
BLOBS = 5
# We have not measured what the minimum of Quay or Harbor serves; beyond this number nobody would try it.
MOST_PULLS_OF_A_MACHINE = 100_000

TERRAFORM = Path(__file__).parents[1] / "terraform"

Usage = dict[str, float]


@dataclass(frozen=True, slots=True)
class Price:
    """What `per` of a thing cost, and the page on which that was read; `seen` is empty if nobody has looked since."""

    usd: float
    at: str
    per: int = 1
    what: str = ""
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Load:
    """What clients do: pulls a day, and GB that are stored."""

    pulls_a_day: int = 0
    stored_gb: float = 0.0


@cache
def prices() -> dict[str, Price]:
    """Returns the list prices by their names."""
    return {name: Price(**entry) for name, entry in _data("prices").items() if isinstance(entry, dict)}


def dated() -> tuple[str, str]:
    """Returns the region of the prices and their date."""
    return _data("prices")["region"], str(_data("prices")["date"])


@cache
def calls() -> dict[str, dict[str, float]]:
    """Returns the counted calls and what is assumed."""
    return _data("calls")


def _data(name: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text("utf-8"))


def cost(usage: Mapping[str, float]) -> float:
    """Returns what a usage costs, in USD a month."""
    return sum(prices()[name].usd * quantity / prices()[name].per for name, quantity in usage.items())


def sum_of(*usages: Mapping[str, float]) -> Usage:
    """Adds usages."""
    total: Usage = {}
    for usage in usages:
        for name, quantity in usage.items():
            total[name] = total.get(name, 0.0) + quantity
    return total


def default(load: Load) -> Usage:
    """Returns the usage of an installation with the module's defaults: what is there at rest, and what clients do."""
    usage = sum_of(at_rest(), pulling(load.pulls_a_day * DAYS), {"bucket_gb_month": load.stored_gb})
    return sum_of(usage, traces(load)) if is_traced() else usage


def is_traced() -> bool:
    """Whether the module records traces by default."""
    return 'mode = "Active"' in (TERRAFORM / "functions.tf").read_text("utf-8")


def traces(load: Load) -> Usage:
    """Returns the traces of the jobs, and of one request in twenty."""
    return {"trace": HOURS * 61 + load.pulls_a_day * DAYS * calls()["pull"]["requests"] / 20}


def at_rest() -> Usage:
    """Returns the usage of an installation that nobody uses: a secret, `timers` each minute, `reconcile` each hour."""
    assumed, turns, rounds = calls()["assumed"], HOURS * 60, HOURS
    stored = assumed["gb_at_rest"]
    return {
        "secret_month": 1,
        "secret_call": assumed["secret_reads_a_day"] * DAYS,
        "lambda_request": turns + rounds,
        "lambda_gb_second": JOB_GB * (turns * assumed["turn_ms"] + rounds * assumed["reconcile_ms"]) / 1000,
        "table_read_unit": turns * calls()["turn"]["read_units"],
        "table_gb_month": stored,
        "backup_gb_month": stored,
        "bucket_put": rounds,
        "queue_request": POLLED,
        **_logged((turns + rounds) * assumed["log_bytes_of_a_turn"]),
    }


def pulling(pulls: float) -> Usage:
    """Returns the usage of pulls in a month, each of which is the first of its hour by its actor and address."""
    pull, record, hour, assumed = (calls()[name] for name in ("pull", "record", "hour", "assumed"))
    requests = pulls * pull["requests"]
    hours = min(pulls, assumed["repositories"] * HOURS)
    busy_ms = pulls * ((pull["requests"] - 1) * assumed["request_ms"] + assumed["token_ms"])
    kept_gb = pulls * assumed["record_bytes"] / GB
    return {
        "api_request": min(requests, FIRST_REQUESTS),
        "api_request_above_300m": max(requests - FIRST_REQUESTS, 0),
        "lambda_request": requests,
        "lambda_gb_second": API_GB * busy_ms / 1000,
        "table_read_unit": pulls * (pull["read_units"] + record["read_units"]) + hours * hour["read_units"],
        "table_write_unit": pulls * (pull["write_units"] + record["write_units"]) + hours * hour["write_units"],
        "table_gb_month": kept_gb,
        "backup_gb_month": kept_gb,
        "bucket_get": pulls * BLOBS,
        **_logged(requests * assumed["log_bytes_of_a_request"]),
    }


def _logged(size: float) -> Usage:
    return {"log_gb": size / GB, "log_gb_month": size / GB * calls()["assumed"]["log_months"]}


def options(load: Load) -> dict[str, Usage]:
    """Returns what each option adds, by its name in the document."""
    requests = load.pulls_a_day * DAYS * calls()["pull"]["requests"]
    relay = {"fargate_cpu_hour": HOURS * 0.25, "fargate_gb_hour": HOURS * 0.5, "balancer_hour": HOURS}
    return {
        "CloudFront (`cloudfront = true`)": {"cdn_request": max(requests - 10e6, 0)},
        "WAF (`waf = true`): three rules": {"waf_acl_month": 1, "waf_rule_month": 3, "waf_request": requests},
        "relay on Fargate, behind an S3 gateway endpoint and a public address": relay | {"address_hour": HOURS},
        "relay on Fargate, behind a NAT gateway": relay | {"nat_hour": HOURS, "address_hour": HOURS},
        "KMS key (`kms_key_arn`)": {"key_month": 1},
        "X-Ray, one call in twenty and those of the jobs": traces(load),
        "ten alarms (`alarm_actions`) and a fourth dashboard": {"alarm_month": 10, "dashboard_month": 1},
        "metrics of the jobs, if there is work in each hour": {"metric_month": 3},
    }


def others(load: Load) -> dict[str, Usage | None]:
    """Returns what other registries use on their documented minimum; None where that is too little."""
    machine = {"machine_hour": HOURS, "address_hour": HOURS, "bucket_gb_month": load.stored_gb}
    fits = load.pulls_a_day <= MOST_PULLS_OF_A_MACHINE
    return {
        "Quay, one machine of 2 CPUs, 4 GB and 30 GB": machine | {"disk_gb_month": 30} if fits else None,
        "Harbor, one machine of 2 CPUs, 4 GB and 40 GB": machine | {"disk_gb_month": 40} if fits else None,
        "ECR": {"ecr_gb_month": load.stored_gb},
    }

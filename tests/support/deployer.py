"""Makes the user of an emulated account who may do what infra/terraform/examples/deployer*.json allow, and no more."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from infra.emulator.account import REGION, EmulatedAccount
from infra.emulator.module import MODULE

# What every installation needs, and who makes its keys; the others are for CloudFront and for the relay.
NEEDED = ("deployer", "deployer-watch", "deployer-keys")
ALL = (*NEEDED, "deployer-front", "deployer-relay")


def policy(name: str, values: Mapping[str, str]) -> dict[str, Any]:
    """Returns one of the policies with its placeholders filled: NAME, REGION, ACCOUNT, PARTITION and ZONE."""
    text = (MODULE / "examples" / f"{name}.json").read_text("utf-8")
    filled: dict[str, Any] = json.loads(re.sub("|".join(values), lambda found: values[found[0]], text))
    return filled


def make_deployer(
    account: EmulatedAccount, installation: str, zone: str = "none", policies: Sequence[str] = NEEDED
) -> dict[str, str]:
    """Makes the user `deployer` with managed policies, and returns its key as `EmulatedAccount.client` takes it."""
    iam = account.client("iam")
    number = account.client("sts").get_caller_identity()["Account"]
    values = {"NAME": installation, "REGION": REGION, "ACCOUNT": number, "PARTITION": "aws", "ZONE": zone}
    iam.create_user(UserName="deployer")
    for name in policies:
        made = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(policy(name, values)))
        iam.attach_user_policy(UserName="deployer", PolicyArn=made["Policy"]["Arn"])
    key = iam.create_access_key(UserName="deployer")["AccessKey"]
    return {name: key[name] for name in ("AccessKeyId", "SecretAccessKey")}

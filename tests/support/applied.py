"""Roles, schedules and logs of the functions of a deployment on an emulated AWS, for tests."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests

from infra.emulator.account import REGION
from infra.emulator.deployment import Deployment

# The event that a schedule sends.
TURN = {
    "version": "0",
    "id": "a-turn",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "000000000000",
    "time": "2026-01-01T00:00:00Z",
    "region": REGION,
    "resources": [],
    "detail": {},
}

# What no function may do: the service, and the call with the names of the installation's own.
FORBIDDEN: dict[str, tuple[str, Callable[[Any, Any], object]]] = {
    "read-the-whole-table": ("dynamodb", lambda client, names: client.scan(TableName=names["table"])),
    "delete-the-table": ("dynamodb", lambda client, names: client.delete_table(TableName=names["table"])),
    "read-another-table": (
        "dynamodb",
        lambda client, _: client.get_item(TableName="another", Key={"pk": {"S": "a"}, "sk": {"S": "b"}}),
    ),
    "list-the-whole-bucket": ("s3", lambda client, names: client.list_objects_v2(Bucket=names["bucket"])),
    "delete-the-bucket": ("s3", lambda client, names: client.delete_bucket(Bucket=names["bucket"])),
    "open-the-bucket": ("s3", lambda client, names: client.delete_public_access_block(Bucket=names["bucket"])),
    "write-beside-the-blobs": ("s3", lambda client, names: client.put_object(Bucket=names["bucket"], Key="a")),
    "read-another-bucket": ("s3", lambda client, _: client.get_object(Bucket="another", Key="in/a")),
    "write-the-keys": (
        "secretsmanager",
        lambda client, names: client.put_secret_value(SecretId=names["keys"], SecretString="{}"),
    ),
    "read-another-secret": ("secretsmanager", lambda client, _: client.get_secret_value(SecretId="another")),
    "change-a-function": (
        "lambda",
        lambda client, names: client.update_function_configuration(FunctionName=names["function"], Timeout=1),
    ),
    "make-a-role": (
        "iam",
        lambda client, _: client.create_role(RoleName="another", AssumeRolePolicyDocument="{}"),
    ),
}


def acting_as(deployment: Deployment, function: str, service: str) -> Any:
    """Makes a client with a function's role; the emulator's root may assume any role."""
    arn = deployment.account.client("iam").get_role(RoleName=deployment.outputs["functions"][function])["Role"]["Arn"]
    assumed = deployment.account.client("sts").assume_role(RoleArn=arn, RoleSessionName="a-test")
    return deployment.account.client(service, assumed["Credentials"])


@contextmanager
def without(deployment: Deployment, function: str, action: str) -> Iterator[None]:
    """Removes one action from a function's role until the end of the block."""
    iam, name = deployment.account.client("iam"), deployment.outputs["functions"][function]
    policy_name = {"RoleName": name, "PolicyName": "permissions"}
    policy = iam.get_role_policy(**policy_name)["PolicyDocument"]
    fewer = [{**each, "Action": [one for one in each["Action"] if one != action]} for each in policy["Statement"]]
    assert fewer != policy["Statement"], f"{name} may not {action} at all"
    kept = [statement for statement in fewer if statement["Action"]]
    iam.put_role_policy(**policy_name, PolicyDocument=json.dumps({**policy, "Statement": kept}))
    try:
        yield
    finally:
        iam.put_role_policy(**policy_name, PolicyDocument=json.dumps(policy))


def log_of(deployment: Deployment, function: str) -> str:
    """Returns everything that a function has logged."""
    name = f"/aws/lambda/{deployment.outputs['functions'][function]}"
    pages = deployment.account.client("logs").get_paginator("filter_log_events").paginate(logGroupName=name)
    return "\n".join(event["message"] for page in pages for event in page["events"])


@contextmanager
def unclocked(deployment: Deployment, function: str) -> Iterator[None]:
    """Stops the schedules of a function until the end of the block."""
    events, name = deployment.account.client("events"), deployment.outputs["functions"][function]
    arn = deployment.account.client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    rules = events.list_rule_names_by_target(TargetArn=arn)["RuleNames"]
    assert rules, f"no clock calls {name} at all"
    for rule in rules:
        events.disable_rule(Name=rule)
    try:
        yield
    finally:
        for rule in rules:
            events.enable_rule(Name=rule)


def called(deployment: Deployment, function: str) -> str:
    """Calls a function as its schedule does; returns the text of its failure, or an empty string."""
    name = deployment.outputs["functions"][function]
    answer = deployment.account.client("lambda").invoke(FunctionName=name, Payload=json.dumps(TURN))
    return answer["Payload"].read().decode() if "FunctionError" in answer else ""


def expiry_timers(deployment: Deployment) -> list[dict[str, Any]]:
    """Returns the timers of tags that expire; only the scheduled function removes them."""
    rows = deployment.account.client("dynamodb").scan(TableName=deployment.outputs["environment"]["CLOUDBERTH_TABLE"])
    return [row for row in rows["Items"] if row.get("kind") == {"S": "expiry"}]


def token(deployment: Deployment, repository: str) -> requests.Response:
    """Asks for a token of the admin with every right on a repository."""
    return requests.get(
        f"{deployment.url}/v2/auth",
        params={"service": deployment.host, "scope": f"repository:{repository}:pull,push,delete"},
        auth=(deployment.admin, deployment.password),
        timeout=30,
    )

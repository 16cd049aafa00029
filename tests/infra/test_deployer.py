"""examples/deployer*.json allow what Terraform asks AWS for, for one installation, and no more."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.support.deployer import ALL, policy
from tests.support.deployers_calls import ACCOUNT, CALLS, COMMANDS, REGION, WITHOUT_RESOURCES, ZONE
from tests.support.terraforming import MODULE

# AWS counts the characters of a managed policy without whitespace.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
LONGEST_POLICY = 6144
VALUES = {"NAME": "registry", "REGION": REGION, "ACCOUNT": ACCOUNT, "PARTITION": "aws", "ZONE": ZONE}
LONGEST = {
    "NAME": "a" * 24,
    "REGION": "ap-southeast-2",
    "ACCOUNT": ACCOUNT,
    "PARTITION": "aws-us-gov",
    "ZONE": "Z" * 32,
}
KEYS = "deployer-keys"
OF_TERRAFORM = tuple(name for name in ALL if name != KEYS)
# What AWS says of a call besides action and resource.
CONTEXT = {
    "iam:PassedToService": ("lambda.amazonaws.com", "ecs-tasks.amazonaws.com"),
    "lambda:FunctionArn": (f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:registry-api",),
    "aws:ResourceTag/Installation": ("registry",),
    "kms:ViaService": (f"dynamodb.{REGION}.amazonaws.com",),
}


def statements(*names: str) -> list[dict[str, Any]]:
    return [statement for name in names for statement in policy(name, VALUES)["Statement"]]


def calls(table: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str, str]]:
    """Yields who calls, the action and the resource."""
    for who, resources in table.items():
        for resource, text in resources.items():
            service = ""
            for word in text.split():
                if word.endswith(":"):
                    service = word
                else:
                    yield who, service + word, resource


def allows(statement: Mapping[str, Any], action: str, resource: str) -> bool:
    return any(fnmatchcase(action, one) for one in statement["Action"]) and any(
        fnmatchcase(resource, one) for one in statement["Resource"]
    )


def meets(statement: Mapping[str, Any], context: Mapping[str, tuple[str, ...]]) -> bool:
    """Tells whether one of the values of each key in the context is one that the statement asks for."""
    asked = [
        (context.get(key, ()), wanted if isinstance(wanted, list) else [wanted])
        for keys in statement.get("Condition", {}).values()
        for key, wanted in keys.items()
        if key != "iam:AWSServiceName"
    ]
    return all(any(fnmatchcase(value, one) for value in given for one in wanted) for given, wanted in asked)


def denied(names: tuple[str, ...], wanted: Iterator[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    allowed = [statement for statement in statements(*names) if meets(statement, CONTEXT)]
    return [call for call in wanted if not any(allows(one, call[1], call[2]) for one in allowed)]


def test_every_type_of_the_module_is_in_the_table() -> None:
    text = "".join(path.read_text("utf-8") for path in MODULE.glob("*.tf"))

    assert set(re.findall(r'^(?:resource|data) "(\w+)"', text, re.MULTILINE)) == set(CALLS)


def test_everything_that_terraform_calls_is_allowed() -> None:
    assert denied(OF_TERRAFORM, calls(CALLS)) == []


def test_everything_that_the_commands_call_is_allowed() -> None:
    assert denied((KEYS,), calls(COMMANDS)) == []


@pytest.mark.parametrize(("names", "table"), [(OF_TERRAFORM, CALLS), ((KEYS,), COMMANDS)], ids=["terraform", "keys"])
def test_nothing_is_allowed_that_nobody_calls(names: tuple[str, ...], table: Mapping[str, Mapping[str, str]]) -> None:
    called = list(calls(table))
    unused = [
        (statement["Sid"], action)
        for statement in statements(*names)
        for action in statement["Action"]
        if not any(fnmatchcase(one, action) and allows(statement, one, resource) for _, one, resource in called)
    ]
    unused += [
        (statement["Sid"], resource)
        for statement in statements(*names)
        for resource in statement["Resource"]
        # A log group is named with and without its streams.
        if not any(fnmatchcase(one, form) for _, _, one in called for form in (resource, resource.removesuffix(":*")))
    ]

    assert unused == []


def test_another_installation_is_out_of_reach() -> None:
    of_others = [
        (who, action, resource.replace("registry", "another"))
        for who, action, resource in [*calls(CALLS), *calls(COMMANDS)]
        if "registry" in resource and ":apigateway:" not in resource
    ]

    assert len(of_others) > 100
    assert denied(ALL, iter(of_others)) == of_others


def test_what_has_no_name_belongs_to_the_installation_by_its_condition() -> None:
    elsewhere = dict.fromkeys(CONTEXT, ("another",))
    bound = [
        one
        for one in statements(*ALL)
        if set(CONTEXT) & {key for keys in one.get("Condition", {}).values() for key in keys}
    ]

    assert {one["Sid"] for one in bound} == {"PassRoles", "Triggers", "OwnTriggers", "RelayRules", "Encryption"}
    assert [one["Sid"] for one in bound if meets(one, elsewhere)] == []


def test_only_what_aws_cannot_bound_is_allowed_on_everything() -> None:
    everywhere = {action for one in statements(*ALL) if "*" in one["Resource"] for action in one["Action"]}

    assert everywhere == set(WITHOUT_RESOURCES)


def test_no_policy_allows_every_action_of_a_service() -> None:
    actions = {action for one in statements(*ALL) for action in one["Action"] if "*" in action}

    assert actions == {"s3:GetBucket*", "s3:Get*Configuration", "lambda:GetFunction*"}


@pytest.mark.parametrize("name", ALL)
def test_each_policy_fits_into_what_iam_takes(name: str) -> None:
    text = json.dumps(policy(name, LONGEST), separators=(",", ":"))

    assert len(text) <= LONGEST_POLICY
    assert not re.search("NAME|REGION|ACCOUNT|PARTITION|ZONE", text)

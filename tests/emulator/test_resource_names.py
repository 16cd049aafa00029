"""Who may do something to one resource by its ARN may do it, as on AWS, and nothing to another one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.emulator.emulator import Emulator
from tests.support.emulation import ACCOUNT, REGION, Cloud, unique

RULE = {"Rule": "mine", "EventBusName": "default"}
BUDGET = {
    "BudgetName": "mine",
    "BudgetType": "COST",
    "TimeUnit": "MONTHLY",
    "BudgetLimit": {"Amount": "1", "Unit": "USD"},
}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}},
    ],
}
MINE = f"{REGION}:{ACCOUNT}"
# Action -> the resource that AWS asks IAM for, and the call.
ALLOWED: dict[str, tuple[str, Callable[[Cloud], Any]]] = {
    "events:PutRule": (
        f"arn:aws:events:{MINE}:rule/mine",
        lambda mine: mine.events.put_rule(Name="mine", ScheduleExpression="rate(1 day)"),
    ),
    "events:ListTargetsByRule": (
        f"arn:aws:events:{MINE}:rule/mine",
        lambda mine: mine.events.list_targets_by_rule(**RULE),
    ),
    "sns:ListTagsForResource": (
        f"arn:aws:sns:{MINE}:mine",
        lambda mine: mine.sns.list_tags_for_resource(ResourceArn=f"arn:aws:sns:{MINE}:mine"),
    ),
    "logs:DescribeLogGroups": (
        f"arn:aws:logs:{MINE}:log-group:*",
        lambda mine: mine.logs.describe_log_groups(logGroupNamePrefix="mine"),
    ),
    "cloudwatch:DescribeAlarms": (
        f"arn:aws:cloudwatch:{MINE}:alarm:mine",
        lambda mine: mine.cloudwatch.describe_alarms(AlarmNames=["mine"]),
    ),
    "cloudwatch:PutDashboard": (
        f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/mine",
        lambda mine: mine.cloudwatch.put_dashboard(DashboardName="mine", DashboardBody='{"widgets": []}'),
    ),
    "budgets:ModifyBudget": (
        f"arn:aws:budgets::{ACCOUNT}:budget/mine",
        lambda mine: mine.budgets.create_budget(AccountId=ACCOUNT, Budget=BUDGET),
    ),
}


def with_only(cloud: Cloud, action: str, resource: str, condition: dict[str, Any] | None = None) -> Cloud:
    """Returns the emulator for a new user who may do this action to this resource."""
    name = unique("user")
    cloud.iam.create_user(UserName=name)
    allowed = {"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition or {}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    cloud.iam.put_user_policy(UserName=name, PolicyName="only", PolicyDocument=policy)
    key = cloud.iam.create_access_key(UserName=name)["AccessKey"]
    return cloud.with_key(key["AccessKeyId"], key["SecretAccessKey"])


@pytest.mark.parametrize("action", ALLOWED)
def test_a_call_is_allowed_for_the_resource_that_aws_names(
    repaired: bool, python: Path, tmp_path: Path, action: str
) -> None:
    resource, call = ALLOWED[action]
    with Emulator(tmp_path, auth=True, python=python, repaired=repaired) as emulator:
        cloud = Cloud(emulator)
        cloud.sns.create_topic(Name="mine")
        if action != "events:PutRule":
            cloud.events.put_rule(Name="mine", ScheduleExpression="rate(1 day)")

        call(with_only(cloud, action, resource))


def test_a_mapping_is_made_for_the_function_of_the_condition_alone(
    repaired: bool, python: Path, tmp_path: Path
) -> None:
    with Emulator(tmp_path, auth=True, python=python, repaired=repaired) as emulator:
        cloud = Cloud(emulator)
        cloud.iam.create_role(RoleName="any", AssumeRolePolicyDocument=json.dumps(TRUST))
        mine, others = (cloud.function("def handler(event, context): pass") for _ in "ab")
        queue = cloud.sqs.create_queue(QueueName="mine")["QueueUrl"]
        source = cloud.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        condition = {"ArnLike": {"lambda:FunctionArn": f"arn:aws:lambda:{MINE}:function:{mine}"}}
        user = with_only(cloud, "lambda:*EventSourceMapping", "*", condition)

        made = user.lambda_.create_event_source_mapping(FunctionName=mine, EventSourceArn=source)["UUID"]

        assert user.lambda_.update_event_source_mapping(UUID=made, BatchSize=5)["BatchSize"] == 5
        with pytest.raises(ClientError, match="AccessDenied"):
            user.lambda_.create_event_source_mapping(FunctionName=others, EventSourceArn=source)
        foreign = cloud.lambda_.create_event_source_mapping(FunctionName=others, EventSourceArn=source)["UUID"]
        with pytest.raises(ClientError, match="AccessDenied"):
            user.lambda_.delete_event_source_mapping(UUID=foreign)


def test_a_call_about_another_rule_is_denied(python: Path, tmp_path: Path) -> None:
    with Emulator(tmp_path, auth=True, python=python) as emulator:
        cloud = Cloud(emulator)
        cloud.events.put_rule(Name="another", ScheduleExpression="rate(1 day)")
        user = with_only(cloud, "events:*", f"arn:aws:events:{MINE}:rule/mine")

        with pytest.raises(ClientError, match="AccessDenied"):
            user.events.list_targets_by_rule(Rule="another")

"""IAM is asked for the actions, resources and condition keys that AWS names where ministack names others, or `*`.

No upstream report is known as of 1.5.33. https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

import importlib
import json
from collections.abc import Mapping
from typing import Any

from infra.emulator.repairs.private import demand, service

# The resource of a list of log groups, whatever prefix it asks for.
EVERY_GROUP = "log-group::log-stream:"
# The parameters by which calls about tags name their resource.
TAGGED = ("ResourceArn", "ResourceARN", "resourceArn")
# Service -> the parameters of a name, the first of a list among them, and the ARN that begins before the name.
NAMED = {
    "events": (("Rule",), "arn:aws:events:{region}:{account}:rule/"),
    "lambda": (("FunctionName",), "arn:aws:lambda:{region}:{account}:function:"),
    "budgets": (("BudgetName",), "arn:aws:budgets::{account}:budget/"),
    "monitoring": (("AlarmNames", "AlarmNames.member.1"), "arn:aws:cloudwatch:{region}:{account}:alarm:"),
}
DASHBOARDS = (
    ("DashboardName", "DashboardNames", "DashboardNames.member.1"),
    "arn:aws:cloudwatch::{account}:dashboard/",
)
# IAM has two actions for all calls about budgets.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsbudgetservice.html
BUDGET_TAGS = ("ListTagsForResource", "TagResource", "UntagResource")
# Calls about one event source mapping are allowed by its function, `lambda:FunctionArn`.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-api-permissions-ref.html
MAPPINGS = "EventSourceMapping"
VERBS = {"GET": "Get", "PUT": "Update", "DELETE": "Delete"}


def repair(emulator: Any) -> None:
    """Corrects actions of budgets, resources of seven services, and the condition of event source mappings."""
    actions: Any = importlib.import_module("ministack.core.iam_actions")
    evaluator: Any = importlib.import_module("ministack.core.iam_evaluator")
    demand(actions, "extract_iam_action", "extract_resource_arn")
    demand(evaluator, "enforce")
    mappings = service(emulator, "lambda_svc", "_esms")._esms  # noqa: SLF001  (there is no public way)
    action_of, resource_of, enforce = actions.extract_iam_action, actions.extract_resource_arn, evaluator.enforce

    def action(*request: Any, **more: Any) -> Any:
        kind, method, path = request[:3]
        if kind == "lambda" and path.rstrip("/").rpartition("/")[0].endswith("/event-source-mappings"):
            return f"lambda:{VERBS.get(method, method)}{MAPPINGS}"
        return _budget_action(action_of(*request, **more))

    def resource(*request: Any) -> str:
        found: str = resource_of(*request)
        kind, _method, _path, _headers, body, query, region, account = request
        if kind == "logs" and _called(actions, request) == "DescribeLogGroups":
            return f"arn:aws:logs:{region}:{account}:{EVERY_GROUP}"
        given = {**_fields(body), **query}
        if kind == "events":
            # A rule of the default bus has no bus in its ARN, and calls about targets name the rule.
            found = "*" if given.get("Rule") else found.replace(":rule/default/", ":rule/")
        return found if found != "*" else _named(kind, given, region, account)

    def enforced(key: str, called: str, *more: Any, resource_arn: str = "*", service_context: Any = None) -> Any:
        if called.endswith(MAPPINGS):
            mapping = mappings.get(resource_arn.rpartition(":")[2])
            # A call that makes one names the function; one that is gone has none.
            is_new = called.endswith(f"Create{MAPPINGS}")
            function = resource_arn if is_new else (mapping or {}).get("FunctionArn")
            service_context = {**(service_context or {}), "lambda:FunctionArn": function}
            resource_arn = "*" if is_new else resource_arn
        return enforce(key, called, *more, resource_arn=resource_arn, service_context=service_context)

    actions.extract_iam_action, actions.extract_resource_arn = action, resource
    evaluator.enforce = enforced


def _called(actions: Any, request: tuple[Any, ...]) -> str:
    return str(actions.extract_iam_action(*request[:6])).partition(":")[2]


def _budget_action(action: Any) -> Any:
    """Returns IAM's name for an action that ministack names after the operation."""
    kind, _, name = str(action).partition(":")
    if kind != "budgets" or name in BUDGET_TAGS:
        return action
    return "budgets:ViewBudget" if name.startswith("Describe") else "budgets:ModifyBudget"


def _named(kind: str, given: Mapping[str, Any], region: str, account: str) -> str:
    """Returns the ARN of the resource that a call's parameters name, or `*`."""
    if tagged := _first(given, TAGGED):
        return tagged
    for names, beginning in [NAMED[kind]] if kind in NAMED else []:
        if name := _first(given, names):
            return name if name.startswith("arn:") else beginning.format(region=region, account=account) + name
    if kind == "monitoring" and (name := _first(given, DASHBOARDS[0])):
        return DASHBOARDS[1].format(account=account) + name
    return "*"


def _first(given: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """Returns the first parameter of these names that has a value; the first of a list."""
    values = [given[name] for name in names if given.get(name)]
    value = values[0] if values else ""
    return str(value[0] if isinstance(value, list) else value)


def _fields(body: bytes) -> dict[str, Any]:
    """Returns the fields of a JSON body, with those of a budget among them."""
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    fields = found if isinstance(found, dict) else {}
    return {**fields, **(fields.get("Budget") or {})}

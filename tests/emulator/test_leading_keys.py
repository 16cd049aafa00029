"""A policy restricts the partitions of a table."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from infra.emulator.emulator import Emulator
from tests.support.emulation import ACCOUNT, REGION, Cloud, unique

ACTIONS = ("BatchGetItem", "BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "UpdateItem")


def restricted(cloud: Cloud, table: str, *keys: str) -> Any:
    """Makes a client for a user who may use only these partitions."""
    name = unique("user")
    cloud.iam.create_user(UserName=name)
    statement = {
        "Effect": "Allow",
        "Action": [f"dynamodb:{action}" for action in ACTIONS],
        "Resource": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}",
        "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    cloud.iam.put_user_policy(UserName=name, PolicyName="fence", PolicyDocument=policy)
    key = cloud.iam.create_access_key(UserName=name)["AccessKey"]
    return cloud.with_key(key["AccessKeyId"], key["SecretAccessKey"]).dynamodb


def is_refused(call: Callable[[], object]) -> bool:
    try:
        call()
    except ClientError as error:
        return bool(error.response["Error"]["Code"] == "AccessDeniedException")
    return False


def test_rows_outside_the_allowed_partitions_are_refused_in_every_operation(
    repaired: bool, python: Path, tmp_path: Path
) -> None:
    with Emulator(tmp_path, auth=True, python=python, repaired=repaired) as emulator:
        cloud = Cloud(emulator)
        table, _ = cloud.table()
        client = restricted(cloud, table, "MINE", "MINE#*")

        def ways(partition: str) -> list[Callable[[], object]]:
            row, mine = ({"pk": {"S": key}, "sk": {"S": "a"}} for key in (partition, "MINE"))
            both = [mine, row] if row != mine else [row]
            change = {"Key": row, "UpdateExpression": "SET a = :a", "ExpressionAttributeValues": {":a": {"S": "a"}}}
            return [
                lambda: client.put_item(TableName=table, Item=row),
                lambda: client.get_item(TableName=table, Key=row),
                lambda: client.update_item(TableName=table, **change),
                lambda: client.batch_get_item(RequestItems={table: {"Keys": both}}),
                lambda: client.batch_write_item(
                    RequestItems={table: [{"PutRequest": {"Item": each}} for each in both]}
                ),
                lambda: client.transact_write_items(TransactItems=[{"Put": {"TableName": table, "Item": row}}]),
                lambda: client.delete_item(TableName=table, Key=row),
            ]

        refused = {key: [is_refused(call) for call in ways(key)] for key in ("MINE", "MINE#1", "THEIRS")}

    assert refused == {"MINE": [False] * 7, "MINE#1": [False] * 7, "THEIRS": [True] * 7}

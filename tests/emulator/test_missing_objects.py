"""A missing object is told only to those who may list its bucket."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from infra.emulator.emulator import Emulator
from tests.support.emulation import Cloud, unique

MINE = {"StringLike": {"s3:prefix": ["mine/*"]}}


def reader(cloud: Cloud, bucket: str, *lists: dict[str, Any]) -> Any:
    """Makes a client for a user who may read and write objects, and may list under these conditions."""
    name = unique("user")
    cloud.iam.create_user(UserName=name)
    place = f"arn:aws:s3:::{bucket}"
    objects = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"{place}/mine/*"}
    listing = [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": place, "Condition": each} for each in lists]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [objects, *listing]})
    cloud.iam.put_user_policy(UserName=name, PolicyName="reads", PolicyDocument=policy)
    key = cloud.iam.create_access_key(UserName=name)["AccessKey"]
    return cloud.with_key(key["AccessKeyId"], key["SecretAccessKey"]).s3


def code(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as refused:
        call()
    return str(refused.value.response["Error"]["Code"])


def test_a_missing_object_is_access_denied_without_the_permission_to_list(
    repaired: bool, python: Path, tmp_path: Path
) -> None:
    with Emulator(tmp_path, auth=True, python=python, repaired=repaired) as emulator:
        cloud = Cloud(emulator)
        bucket = cloud.bucket()
        client = reader(cloud, bucket, MINE)
        missing = {"Bucket": bucket, "Key": "mine/a"}
        address = client.generate_presigned_url("get_object", Params=missing)

        assert code(lambda: client.get_object(**missing)) == "AccessDenied"
        assert code(lambda: client.head_object(**missing)) == "403"
        assert code(lambda: client.copy_object(Bucket=bucket, Key="mine/b", CopySource=missing)) == "AccessDenied"
        assert requests.get(address, timeout=10).status_code == 403


def test_a_missing_object_is_missing_with_the_permission_to_list(python: Path, tmp_path: Path) -> None:
    with Emulator(tmp_path, auth=True, python=python) as emulator:
        cloud = Cloud(emulator)
        bucket = cloud.bucket()
        client = reader(cloud, bucket, {})
        missing = {"Bucket": bucket, "Key": "mine/a"}

        assert code(lambda: client.get_object(**missing)) == "NoSuchKey"
        assert code(lambda: client.head_object(**missing)) == "404"
        assert code(lambda: client.copy_object(Bucket=bucket, Key="mine/b", CopySource=missing)) == "NoSuchKey"
        cloud.s3.put_object(Bucket=bucket, Key="mine/a", Body=b"a")
        assert client.get_object(**missing)["Body"].read() == b"a"

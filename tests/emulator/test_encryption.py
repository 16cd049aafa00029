"""A bucket that requires TLS accepts requests over loopback."""

import json
from pathlib import Path

import boto3

from infra.emulator.emulator import Emulator
from tests.support.emulation import REGION, Cloud, unique


def a_user(cloud: Cloud, bucket: str) -> dict[str, str]:
    """Makes a user who may write to the bucket; bucket policies do not apply to the root."""
    name = unique("user")
    cloud.iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    cloud.iam.put_user_policy(UserName=name, PolicyName="write", PolicyDocument=json.dumps(policy))
    key: dict[str, str] = cloud.iam.create_access_key(UserName=name)["AccessKey"]
    return key


def test_a_request_over_loopback_counts_as_encrypted(repaired: bool, python: Path, tmp_path: Path) -> None:
    with Emulator(tmp_path, auth=True, python=python, repaired=repaired) as emulator:
        cloud, bucket = Cloud(emulator), unique("bucket")
        cloud.s3.create_bucket(Bucket=bucket)
        deny = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": f"arn:aws:s3:::{bucket}/*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        cloud.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
        key = a_user(cloud, bucket)

        writer = boto3.client(
            "s3",
            endpoint_url=emulator.url,
            region_name=REGION,
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
        )
        assert writer.put_object(Bucket=bucket, Key="a", Body=b"a")["ETag"]

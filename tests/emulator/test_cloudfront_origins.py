"""CloudFront reaches APIs and buckets."""

import base64
import hashlib
from pathlib import Path

import pytest

from infra.emulator.emulator import Emulator
from tests.support.emulation import REGION, Cloud
from tests.support.fake_server import FakeServer, respond

HTTPS = {"x-forwarded-proto": "https"}
CODE = """
import base64, json

def handler(event, context):
    body = base64.b64decode(event["body"]) if event.get("isBase64Encoded") else event.get("body", "").encode()
    seen = [event["requestContext"]["http"]["method"], event["rawPath"], event["rawQueryString"], body.decode()]
    return {"statusCode": 201, "headers": {"kept": event["headers"].get("kept", "")}, "body": json.dumps(seen)}
"""


def bucket_behind(cloud: Cloud, *actions: str, over_tls: bool = False) -> tuple[str, str]:
    """Makes a bucket in which a distribution may do this, and returns it with the distribution's host."""
    bucket = cloud.bucket()
    host, arn = cloud.behind_cloudfront({"bucket": f"{bucket}.s3.{REGION}.amazonaws.com"}, {})
    cloud.let_edge(bucket, arn, *actions, over_tls=over_tls)
    return bucket, host


def test_an_api_is_reached_by_its_own_host_name(cloud: Cloud) -> None:
    api = cloud.http_api(cloud.function(CODE)).partition(".")[0]
    host, _ = cloud.behind_cloudfront({"api": f"{api}.execute-api.{REGION}.amazonaws.com"}, {})

    status, headers, body = cloud.ask(host, "/v2/a%20b/?c=d%2Fe", "PATCH", b"a body", {**HTTPS, "kept": "yes"})

    assert (status, headers.get("kept")) == (201, "yes")
    assert body == b'["PATCH", "/v2/a b/", "c=d%2Fe", "a body"]'


def test_a_body_is_put_into_the_bucket(cloud: Cloud) -> None:
    bucket, host = bucket_behind(cloud, "s3:PutObject")

    status, _, _ = cloud.ask(host, "/in/blob", "PUT", b"bytes", HTTPS)

    assert status == 200
    assert cloud.s3.get_object(Bucket=bucket, Key="in/blob")["Body"].read() == b"bytes"


def test_a_body_is_put_into_the_bucket_of_an_account_that_enforces_iam(
    repaired: bool, python: Path, tmp_path: Path
) -> None:
    with Emulator(tmp_path, auth=True, python=python, repaired=repaired) as emulator:
        cloud = Cloud(emulator)
        bucket, host = bucket_behind(cloud, "s3:PutObject")

        status, _, _ = cloud.ask(host, "/in/blob", "PUT", b"bytes", HTTPS)

        assert status == 200
        assert cloud.s3.get_object(Bucket=bucket, Key="in/blob")["Body"].read() == b"bytes"


def test_bytes_that_do_not_match_their_checksum_are_refused_with_the_buckets_answer(cloud: Cloud) -> None:
    bucket, host = bucket_behind(cloud, "s3:PutObject")
    checksum = base64.b64encode(hashlib.sha256(b"others").digest()).decode()

    status, _, body = cloud.ask(host, "/in/blob", "PUT", b"bytes", {**HTTPS, "x-amz-checksum-sha256": checksum})

    assert (status, b"<Code>BadDigest</Code>" in body) == (400, True)
    assert "Contents" not in cloud.s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize(
    ("path", "action"), [("/other/blob", "s3:PutObject"), ("/in/blob", "s3:GetObject")], ids=["place", "action"]
)
def test_a_write_that_the_buckets_policy_does_not_allow_is_refused(ours: Cloud, path: str, action: str) -> None:
    bucket, host = bucket_behind(ours, action)

    assert ours.ask(host, path, "PUT", b"bytes", HTTPS)[0] == 403
    assert "Contents" not in ours.s3.list_objects_v2(Bucket=bucket)


def test_a_policy_against_plain_http_allows_requests_by_https(cloud: Cloud) -> None:
    bucket, host = bucket_behind(cloud, "s3:GetObject", over_tls=True)
    cloud.s3.put_object(Bucket=bucket, Key="in/blob", Body=b"bytes")

    assert cloud.ask(host, "/in/blob", headers=HTTPS)[::2] == (200, b"bytes")


def test_a_policy_against_plain_http_denies_requests_by_plain_http(ours: Cloud) -> None:
    bucket = ours.bucket()
    ours.s3.put_object(Bucket=bucket, Key="in/blob", Body=b"bytes")
    host, arn = ours.behind_cloudfront({"bucket": f"{bucket}.s3.{REGION}.amazonaws.com"}, {}, protocols="allow-all")
    ours.let_edge(bucket, arn, "s3:GetObject", over_tls=True)

    assert ours.ask(host, "/in/blob")[0] == 403


@pytest.mark.parametrize("region", [REGION, "eu-central-1"])
def test_a_load_balancer_in_a_vpc_is_reached_by_the_protocol_of_its_origin(cloud: Cloud, region: str) -> None:
    with FakeServer(lambda handler: respond(handler, b"from the target")).running() as target:
        host, _ = cloud.behind_cloudfront({"relay": cloud.in_a_vpc(target.port, region)}, {})

        assert cloud.ask(host, "/v2/", "GET", headers=HTTPS)[::2] == (200, b"from the target")

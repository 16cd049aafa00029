"""An emulated AWS for tests: clients, small resources, and a file in which functions record what they received."""

from __future__ import annotations

import http.client
import io
import json
import os
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config

from infra.emulator.emulator import Emulator, python_of
from infra.packaging.errors import PackageError

REGION = "us-east-1"
ACCOUNT = "000000000000"
# CloudFront's managed policies CachingDisabled and AllViewerExceptHostHeader.
NEVER_CACHE, ALL_BUT_HOST = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "b689b0a8-53d0-40ab-baf2-68738e2966ac"


def emulators_python() -> Path:
    """Returns the emulator's Python; without it the test is skipped, or fails if nothing may be skipped."""
    try:
        return python_of()
    except PackageError as error:
        (pytest.fail if os.environ.get("CLOUDBERTH_NO_SKIPS") else pytest.skip)(str(error))


@cache
def client(url: str, service: str, key: str = "test", secret: str = "test", region: str = REGION) -> Any:
    """Returns a cached boto3 client of a service, since making one takes a tenth of a second."""
    make: Any = boto3.client
    return make(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}),
    )


class Cloud:
    """An emulator in which a test makes resources with unique names."""

    def __init__(self, emulator: Emulator, *key: str) -> None:
        self.emulator = emulator
        self.key = key

    def __getattr__(self, service: str) -> Any:
        """Returns a client by boto3's name of the service; `lambda_` is Lambda, since `lambda` is a keyword."""
        return client(self.emulator.url, service.strip("_"), *self.key)

    def with_key(self, key: str, secret: str) -> Cloud:
        """Returns the same emulator for the owner of this key."""
        return Cloud(self.emulator, key, secret)

    def function(self, code: str, **environment: str) -> str:
        """Makes a function from Python source with a handler called `handler`, and returns its name."""
        name = unique("function")
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("source.py", code)
        self.lambda_.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=f"arn:aws:iam::{ACCOUNT}:role/any",
            Handler="source.handler",
            Code={"ZipFile": packed.getvalue()},
            Timeout=10,
            Environment={"Variables": environment},
        )
        return name

    def table(self) -> tuple[str, str]:
        """Makes a table with the keys `pk` and `sk` and a stream; returns its name and the stream's ARN."""
        name = unique("table")
        table = self.dynamodb.create_table(
            TableName=name,
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        return name, table["TableDescription"]["LatestStreamArn"]

    def put(self, table: str, *keys: str, **attributes: Any) -> None:
        """Writes a row for each sort key, in one partition and in this order."""
        for key in keys:
            self.dynamodb.put_item(TableName=table, Item={"pk": {"S": "p"}, "sk": {"S": key}, **attributes})

    def http_api(self, function: str, payload: str = "2.0") -> str:
        """Makes an HTTP API that sends all requests to a function in a payload format, and returns its host."""
        api = self.apigatewayv2.create_api(Name=unique("api"), ProtocolType="HTTP")["ApiId"]
        integration = self.apigatewayv2.create_integration(
            ApiId=api,
            IntegrationType="AWS_PROXY",
            IntegrationUri=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}",
            PayloadFormatVersion=payload,
        )["IntegrationId"]
        self.apigatewayv2.create_route(ApiId=api, RouteKey="$default", Target=f"integrations/{integration}")
        self.apigatewayv2.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
        return f"{api}.execute-api.localhost"

    def ask(
        self, host: str, path: str, method: str = "GET", body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Sends a request to one of the emulator's hosts; returns status, headers in lower case, and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.emulator.port, timeout=20)
        try:
            connection.request(method, path, body or None, {"Host": host, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def behind_cloudfront(
        self, origins: Mapping[str, str], functions: Mapping[str, str], protocols: str = "https-only"
    ) -> tuple[str, str]:
        """Makes a distribution for all methods; its origin is the first of these, unless a function chooses another.

        `origins` maps names to domains, `functions` events to ARNs. Returns the host and the ARN.
        """
        name = unique("distribution")
        signing = self.cloudfront.create_origin_access_control(
            OriginAccessControlConfig={
                "Name": name,
                "OriginAccessControlOriginType": "s3",
                "SigningBehavior": "always",
                "SigningProtocol": "sigv4",
            }
        )["OriginAccessControl"]["Id"]
        behavior = {
            "TargetOriginId": next(iter(origins)),
            "ViewerProtocolPolicy": protocols,
            "AllowedMethods": _listed(["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]),
            "CachePolicyId": NEVER_CACHE,
            "OriginRequestPolicyId": ALL_BUT_HOST,
            "FunctionAssociations": _listed(
                [{"EventType": event, "FunctionARN": arn} for event, arn in functions.items()]
            ),
        }
        distribution = self.cloudfront.create_distribution(
            DistributionConfig={
                "CallerReference": name,
                "Comment": name,
                "Enabled": True,
                "Origins": _listed([_origin(key, domain, signing) for key, domain in origins.items()]),
                "DefaultCacheBehavior": behavior,
            }
        )["Distribution"]
        return distribution["DomainName"], distribution["ARN"]

    def in_a_vpc(self, port: int, region: str) -> str:
        """Makes a load balancer in front of a port of loopback and a VPC origin of it; returns it as an origin."""
        ec2, elbv2 = (client(self.emulator.url, service, region=region) for service in ("ec2", "elbv2"))
        network = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=network, CidrBlock=f"10.1.{number}.0/24", AvailabilityZone=f"{region}{zone}")
            for number, zone in enumerate("ab")
        ]
        balancer = elbv2.create_load_balancer(
            Name=unique("lb"), Scheme="internal", Subnets=[each["Subnet"]["SubnetId"] for each in subnets]
        )["LoadBalancers"][0]
        group = elbv2.create_target_group(
            Name=unique("tg"), Protocol="HTTP", Port=port, VpcId=network, TargetType="ip"
        )["TargetGroups"][0]["TargetGroupArn"]
        elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": "127.0.0.1", "Port": port}])
        elbv2.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
        )
        origin = self.cloudfront.create_vpc_origin(
            VpcOriginEndpointConfig={
                "Name": unique("origin"),
                "Arn": balancer["LoadBalancerArn"],
                "HTTPPort": 80,
                "HTTPSPort": 443,
                "OriginProtocolPolicy": "http-only",
            }
        )["VpcOrigin"]["Id"]
        return f"{origin}@{balancer['DNSName']}"

    def bucket(self) -> str:
        """Makes a private bucket and returns its name."""
        name = unique("bucket")
        self.s3.create_bucket(Bucket=name)
        return name

    def let_edge(self, bucket: str, distribution: str, *actions: str, over_tls: bool = False) -> None:
        """Lets a distribution do this in a bucket below `in/`; `over_tls` denies every request without TLS."""
        place = f"arn:aws:s3:::{bucket}"
        allowed = {
            "Effect": "Allow",
            "Principal": {"Service": "cloudfront.amazonaws.com"},
            "Action": list(actions),
            "Resource": f"{place}/in/*",
            "Condition": {"StringEquals": {"aws:SourceArn": distribution}},
        }
        denied = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [place, f"{place}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        policy = {"Version": "2012-10-17", "Statement": [allowed, *([denied] if over_tls else [])]}
        self.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    def edge_function(self, code: str, store: str | None = None) -> str:
        """Publishes a CloudFront function, with a key value store if one is given, and returns its ARN."""
        name = unique("edge")
        stores = [{"KeyValueStoreARN": store}] if store else []
        config = {
            "Comment": name,
            "Runtime": "cloudfront-js-2.0",
            "KeyValueStoreAssociations": _listed(stores),
        }
        function = self.cloudfront.create_function(Name=name, FunctionConfig=config, FunctionCode=code.encode())
        self.cloudfront.publish_function(Name=name, IfMatch=function["ETag"])
        return str(function["FunctionSummary"]["FunctionMetadata"]["FunctionARN"])

    def store(self, **entries: str) -> str:
        """Makes a key value store of CloudFront with these entries and returns its ARN."""
        arn = str(self.cloudfront.create_key_value_store(Name=unique("store"))["KeyValueStore"]["ARN"])
        self.write(arn, **entries)
        return arn

    def write(self, store: str, **entries: str) -> None:
        """Writes entries of a key value store; boto3 needs a library in C to sign such a request."""
        place = f"/key-value-stores/{store}"
        for key, value in entries.items():
            headers = {"If-Match": self.ask("localhost", place)[1]["etag"], "Content-Type": "application/json"}
            status, _, answer = self.ask("localhost", f"{place}/keys/{key}", "PUT", _json({"Value": value}), headers)
            assert status == 200, answer


class Ledger:
    """A file in which functions, which run on this machine, write lines of JSON."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []


def _origin(key: str, domain: str, signing: str) -> dict[str, Any]:
    """Returns an origin: a bucket for a regional S3 domain, a VPC origin for `ID@domain`, else any HTTPS server."""
    within, _, domain = domain.rpartition("@")
    if within:
        return {"Id": key, "DomainName": domain, "VpcOriginConfig": {"VpcOriginId": within, "OriginReadTimeout": 60}}
    if ".s3." in domain:
        bucket = {"S3OriginConfig": {"OriginAccessIdentity": ""}, "OriginAccessControlId": signing}
        return {"Id": key, "DomainName": domain, **bucket}
    custom = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"}
    return {"Id": key, "DomainName": domain, "CustomOriginConfig": custom}


def _listed(items: Sequence[Any]) -> dict[str, Any]:
    """Returns a list in CloudFront's format."""
    return {"Quantity": len(items), "Items": list(items)}


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def node() -> None:
    """Requires node for CloudFront's functions; without it a test is skipped, or fails if nothing may be skipped."""
    if shutil.which("node") is None:
        missing = "node is not installed: apt-get install nodejs"
        (pytest.fail if os.environ.get("CLOUDBERTH_NO_SKIPS") else pytest.skip)(missing)


def unique(kind: str) -> str:
    """Returns a unique name."""
    return f"{kind}-{uuid4().hex[:12]}"

"""CloudFront reaches HTTP APIs by their host names and load balancers in a VPC, and writes objects into a bucket.

ministack answers 502 for an API's host name, and reads from a bucket whatever the method is. It evaluates the bucket's
policy with the plain connection of a test, so that a policy against plain HTTP denies everything; the repair reads
`x-forwarded-proto` instead, as ministack does for a behavior that requires https. No upstream report is known as
of 1.5.33. Of a VPC origin it does not heed protocol and ports, and it finds only load balancers of its own region.
"""

import asyncio
import importlib
import re
from typing import Any
from urllib.parse import parse_qs, unquote

from infra.emulator.repairs.private import demand, service

# The host name of an API as AWS or ministack writes it.
API = re.compile(r"(?:^|//)(?P<id>[a-z0-9-]+)\.execute-api\.")
NEEDED = (
    *("handle_viewer_request", "_fetch_from_origin", "_origin_request_headers", "_s3_object_key"),
    *("OriginTimeout", "_multidict_from_pairs", "_dataplane_origin", "_vpc_origins", "_find", "_text"),
)
# The host name of a load balancer.
BALANCER = re.compile(r"\.(?P<region>[a-z0-9-]+)\.elb\.amazonaws\.com$")
CLOUDFRONT = "cloudfront.amazonaws.com"

OriginResponse = tuple[int, str, dict[str, Any], bytes]


def repair(emulator: Any) -> None:
    """Serves these origins inside the emulator, as ministack serves the others."""
    demand(emulator, "_handle_execute_api_request")
    edge = service(emulator, "cloudfront", *NEEDED)
    objects = service(emulator, "s3", "handle_request", "_bucket_owner_account", "_bucket_policies", "_error")
    policies: Any = importlib.import_module("ministack.core.iam_evaluator")
    demand(policies, "EvalContext", "evaluate_resource_policy", "pin_request_origin")
    responses: Any = importlib.import_module("ministack.core.responses")
    demand(responses, "get_region", "set_request_region")
    _trust_forwarded_proto(edge, policies)
    _heed_vpc_origins(edge)
    published = edge._fetch_from_origin  # noqa: SLF001  (private, as all of it)

    async def fetch(  # noqa: PLR0913  (ministack calls it with these arguments)
        origin: dict[str, Any],
        method: str,
        uri: str,
        query: str,
        headers: dict[str, Any],
        body: bytes,
        https: bool,
        client: str,
        forwarded_for: str,
        distribution: str,
    ) -> OriginResponse:
        if origin.get("s3_bucket") and method == "PUT":
            bucket, key = origin["s3_bucket"], edge._s3_object_key(origin, uri)  # noqa: SLF001
            if not _may_write(objects, policies, bucket, key, distribution):
                return _answer(edge, objects._error("AccessDenied", "Access Denied", 403, f"/{bucket}/{key}"))  # noqa: SLF001
            return _answer(
                edge, await objects.handle_request("PUT", f"/{bucket}/{key}", headers, body, {}, internal=True)
            )
        if found := API.search(origin["domain_name"]):
            path = origin["origin_path"] + uri
            sent = edge._origin_request_headers(origin, headers, client, forwarded_for)  # noqa: SLF001
            call = emulator._handle_execute_api_request(  # noqa: SLF001
                f"{found['id']}.execute-api.localhost",
                unquote(path),
                method,
                {name.lower(): value for name, value in sent.items()} | _length(body),
                body,
                parse_qs(query, keep_blank_values=True),
                path,
                query,
            )
            try:
                return _answer(edge, await asyncio.wait_for(call, origin["read_timeout"]))
            except TimeoutError as error:
                raise edge.OriginTimeout(str(error)) from error
        region, balancer = responses.get_region(), BALANCER.search(origin["domain_name"])
        responses.set_request_region(balancer["region"] if balancer else region)
        try:
            answer: OriginResponse = await published(
                origin, method, uri, query, headers, body, https, client, forwarded_for, distribution
            )
        finally:
            responses.set_request_region(region)
        return answer

    edge._fetch_from_origin = fetch  # noqa: SLF001


def _trust_forwarded_proto(edge: Any, policies: Any) -> None:
    serve = edge.handle_viewer_request

    async def serve_secured(  # noqa: PLR0913  (ministack calls it with these arguments)
        distribution: Any,
        method: str,
        path: str,
        raw_path: str,
        raw_query: str,
        headers: dict[str, Any],
        body: bytes,
        query: dict[str, Any],
        client: str,
    ) -> Any:
        policies.pin_request_origin(client, headers.get("x-forwarded-proto") == "https")
        return await serve(distribution, method, path, raw_path, raw_query, headers, body, query, client)

    edge.handle_viewer_request = serve_secured


def _heed_vpc_origins(edge: Any) -> None:
    published = edge._dataplane_origin  # noqa: SLF001

    def origin_of(element: Any) -> dict[str, Any]:
        origin: dict[str, Any] = published(element)
        within = edge._find(element, "VpcOriginConfig")  # noqa: SLF001
        if within is None:
            return origin
        endpoint = edge._vpc_origins[edge._text(within, "VpcOriginId")]["VpcOriginEndpointConfig"]  # noqa: SLF001
        seconds = edge._text(within, "OriginReadTimeout")  # noqa: SLF001
        return origin | {
            "protocol_policy": endpoint["OriginProtocolPolicy"],
            "http_port": int(endpoint["HTTPPort"]),
            "https_port": int(endpoint["HTTPSPort"]),
            "read_timeout": int(seconds or origin["read_timeout"]),
        }

    edge._dataplane_origin = origin_of  # noqa: SLF001


def _may_write(objects: Any, policies: Any, bucket: str, key: str, distribution: str) -> bool:
    """Tells whether the bucket's policy lets this distribution write the key."""
    owner = objects._bucket_owner_account(bucket)  # noqa: SLF001
    context = policies.EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action="s3:PutObject",
        resource_arn=f"arn:aws:s3:::{bucket}/{key}",
        region="",
        service_context={"aws:sourcearn": distribution},
    )
    policy = objects._bucket_policies.get_scoped(owner, None, bucket) if owner else None  # noqa: SLF001
    return bool(policy) and policies.evaluate_resource_policy(policy, context, service=CLOUDFRONT).decision == "Allow"


def _answer(edge: Any, answer: tuple[int, dict[str, Any], bytes]) -> OriginResponse:
    status, headers, body = answer
    return status, "", edge._multidict_from_pairs(headers.items()), body  # noqa: SLF001


def _length(body: bytes) -> dict[str, str]:
    return {"content-length": str(len(body))} if body else {}

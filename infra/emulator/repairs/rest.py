"""REST APIs can be imported by PutRestApi and ImportRestApi, and their `binaryMediaTypes` can be patched.

ministack has no PutRestApi (the `body` of Terraform's aws_api_gateway_rest_api, which Chalice exports), makes an empty
API from the body of ImportRestApi, and turns the list `binaryMediaTypes` into a map when it is patched. Upstream reads
OpenAPI documents for CloudFormation only (https://github.com/ministackorg/ministack/issues/928); no report of these
three operations is known as of 1.5.33.
https://docs.aws.amazon.com/apigateway/latest/api/API_PutRestApi.html
"""

import json
from collections.abc import Mapping
from typing import Any

from infra.emulator.repairs.private import service

ANY = "x-amazon-apigateway-any-method"
BINARY = "x-amazon-apigateway-binary-media-types"
BINARY_PATH = "/binaryMediaTypes/"
NEEDED = (
    *("handle_request", "_OPENAPI_HTTP_METHODS", "_rest_apis", "_resources", "_authorizers_v1", "_get_rest_api"),
    *("_import_rest_api", "_import_security_schemes", "_import_path_item"),
)
GatewayResponse = tuple[int, dict[str, str], bytes]


def repair(emulator: Any) -> None:
    """Answers these three operations and leaves all others to ministack."""
    apis = service(emulator, "apigateway_v1", *NEEDED)
    published = apis.handle_request
    apis._OPENAPI_HTTP_METHODS.add("any")  # noqa: SLF001  (private, as all of it)

    async def handle(method: str, path: str, headers: Any, body: bytes, query: Mapping[str, Any]) -> GatewayResponse:
        match method, path.strip("/").split("/"):
            case "POST", ["restapis"] if "mode" in query:
                return _imported(apis, json.loads(body))
            case "PUT", ["restapis", api] if api in apis._rest_apis:  # noqa: SLF001
                return _put(apis, api, json.loads(body), overwrite="overwrite" in _words(query.get("mode")))
            case "PATCH", ["restapis", api] if api in apis._rest_apis:  # noqa: SLF001
                body = _patched(apis._rest_apis[api], json.loads(body))  # noqa: SLF001
        answer: GatewayResponse = await published(method, path, headers, body, query)
        return answer

    apis.handle_request = handle


def _imported(apis: Any, document: dict[str, Any]) -> GatewayResponse:
    api = apis._import_rest_api(_known(document), {"binaryMediaTypes": document.get(BINARY, [])})  # noqa: SLF001
    _, headers, body = apis._get_rest_api(api)  # noqa: SLF001
    return 201, headers, body


def _put(apis: Any, api: str, document: dict[str, Any], *, overwrite: bool) -> GatewayResponse:
    if overwrite:
        _empty(apis, api)
    if BINARY in document:
        apis._rest_apis[api]["binaryMediaTypes"] = list(document[BINARY])  # noqa: SLF001
    known = _known(document)
    schemes = apis._import_security_schemes(api, known)  # noqa: SLF001
    for path, item in known["paths"].items():
        apis._import_path_item(api, path, item, schemes, known.get("security"))  # noqa: SLF001
    answer: GatewayResponse = apis._get_rest_api(api)  # noqa: SLF001
    return answer


def _empty(apis: Any, api: str) -> None:
    """Removes all resources but the root, and the root's methods."""
    resources = apis._resources[api]  # noqa: SLF001
    for key in [key for key, resource in resources.items() if resource["path"] != "/"]:
        del resources[key]
    for root in resources.values():
        root["resourceMethods"] = {}
    apis._authorizers_v1[api] = {}  # noqa: SLF001


def _known(document: dict[str, Any]) -> dict[str, Any]:
    """Returns the document with the method for all methods under the name that ministack imports."""
    paths = {
        path: {("any" if method == ANY else method): operation for method, operation in item.items()}
        for path, item in (document.get("paths") or {}).items()
    }
    return document | {"paths": paths}


def _patched(api: dict[str, Any], request: dict[str, Any]) -> bytes:
    """Patches the list of media types and returns the request without those operations."""
    others, types = [], list(api.get("binaryMediaTypes") or [])
    for operation in request.get("patchOperations", []):
        path = operation.get("path", "")
        if not path.startswith(BINARY_PATH):
            others.append(operation)
            continue
        # RFC 6901, section 4
        media_type = path.removeprefix(BINARY_PATH).replace("~1", "/").replace("~0", "~")
        types = [known for known in types if known != media_type]
        if operation["op"] != "remove":
            types.append(operation.get("value") or media_type)
    api["binaryMediaTypes"] = types
    return json.dumps({"patchOperations": others}).encode()


def _words(value: Any) -> list[str]:
    """Returns the values of a query parameter that may be repeated."""
    return [value] if isinstance(value, str) else list(value or [])

"""An HTTP API's integration gets the payload format that it names.

ministack sends format 2.0 whatever `payloadFormatVersion` says, and drops the `multiValueHeaders` of an answer in
format 1.0. No upstream report is known as of 1.5.33.
"""

from typing import Any

from infra.emulator.repairs.private import demand, service
from infra.local.events import from_answer, to_event


def repair(emulator: Any) -> None:
    """Sends events of format 1.0 to the integrations that name it."""
    gateway = service(emulator, "apigateway", "_invoke_lambda_proxy", "_extract_lambda_ref_from_integration_uri")
    functions = service(emulator, "lambda_svc", "_get_func_record_for_ref_in_scope", *RUNNING)
    demand(gateway, "run_reentrant")
    published = gateway._invoke_lambda_proxy  # noqa: SLF001

    async def invoke(  # noqa: PLR0913  (ministack calls it with these arguments)
        integration: dict[str, Any],
        api_id: str,
        stage: str,
        path: str,
        method: str,
        headers: dict[str, str],
        body: bytes,
        query: dict[str, list[str]],
        *rest: Any,
        **more: Any,
    ) -> tuple[int, dict[str, Any], bytes]:
        if integration["payloadFormatVersion"] != "1.0":
            found: tuple[int, dict[str, Any], bytes] = await published(
                integration, api_id, stage, path, method, headers, body, query, *rest, **more
            )
            return found
        scope = {
            "method": method,
            "raw_path": path.encode(),
            "query_string": gateway._raw_query_string(query, more["raw_query_string"]).encode(),  # noqa: SLF001
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
            "http_version": "1.1",
        }
        # ministack has decoded the path.
        event = to_event(scope, body) | {"path": path}
        event["requestContext"] |= {"apiId": api_id, "stage": stage, "path": path}
        owner = {"account_id": more["owner_account_id"], "region": more["owner_region"]}
        answer = await _run(gateway, functions, integration, event, owner)
        return _reply(answer, method)

    gateway._invoke_lambda_proxy = invoke  # noqa: SLF001


RUNNING = (
    "_execution_record_for_config",
    "_execute_function_with_config_scope",
    "lambda_execute_result_to_api_proxy_response",
)


async def _run(
    gateway: Any, functions: Any, integration: dict[str, Any], event: dict[str, Any], owner: dict[str, str]
) -> dict[str, Any]:
    """Returns the function's answer, or the gateway's own if the function failed."""
    name = gateway._extract_lambda_ref_from_integration_uri(integration["integrationUri"])  # noqa: SLF001
    function, config, _ = functions._get_func_record_for_ref_in_scope(name, **owner)  # noqa: SLF001
    if function is None or config is None:
        return {"statusCode": 500, "body": '{"message":"Internal Server Error"}'}
    record = functions._execution_record_for_config(function, config)  # noqa: SLF001
    run = functions._execute_function_with_config_scope  # noqa: SLF001
    result = await gateway.run_reentrant(run, record, event, thread_name="ministack-apigw-invoke")
    answer: dict[str, Any] = functions.lambda_execute_result_to_api_proxy_response(result)[0]
    return answer


def _reply(answer: dict[str, Any], method: str) -> tuple[int, dict[str, Any], bytes]:
    status, lines, body = from_answer(answer, method)
    headers: dict[str, Any] = {}
    for name, value in lines:
        headers.setdefault(name.decode("latin-1"), []).append(value.decode("utf-8"))
    return status, {name: values[0] if len(values) == 1 else values for name, values in headers.items()}, body

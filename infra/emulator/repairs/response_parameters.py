"""An HTTP API overwrites headers of an integration's answer by its response parameters.

ministack keeps the parameters and does not heed them. AWS does not say what becomes of a header whose source is
missing: here it is lost, the worst that it could do. No upstream report is known as of 1.5.33.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html
"""

from collections.abc import Mapping
from typing import Any

from infra.emulator.repairs.private import service

TARGET, SOURCE = "overwrite:header.", "$response.header."
GatewayAnswer = tuple[int, dict[str, Any], bytes]


def repair(emulator: Any) -> None:
    """Maps headers onto headers, which is all that infra/terraform maps."""
    gateway = service(emulator, "apigateway", "_invoke_lambda_proxy")
    published = gateway._invoke_lambda_proxy  # noqa: SLF001

    async def invoke(integration: dict[str, Any], *rest: Any, **more: Any) -> GatewayAnswer:
        status, headers, body = await published(integration, *rest, **more)
        mappings = (integration.get("responseParameters") or {}).get(str(status)) or {}
        return status, _mapped(headers, mappings), body

    gateway._invoke_lambda_proxy = invoke  # noqa: SLF001


def _mapped(headers: Mapping[str, Any], mappings: Mapping[str, str]) -> dict[str, Any]:
    found = {name.lower(): value for name, value in headers.items()}
    wanted = {
        target.removeprefix(TARGET).lower(): found.get(source.removeprefix(SOURCE).lower())
        for target, source in mappings.items()
        if target.startswith(TARGET) and source.startswith(SOURCE)
    }
    kept = {name: value for name, value in headers.items() if name.lower() not in wanted}
    return kept | {name: value for name, value in wanted.items() if value is not None}

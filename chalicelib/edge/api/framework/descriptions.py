"""Descriptions of the types of errors, to which the `type` of every error links."""

from typing import Any

from chalicelib.domain.errors import ResourceUnknown
from chalicelib.edge.api.framework.errors import DESCRIPTIONS
from chalicelib.edge.api.framework.operations import TEXT, Operations, an_object
from chalicelib.settings import settings

operations = Operations(__name__, "error")


@operations.get(
    "/api/v1/error/{error_type}",
    "getErrorDescription",
    answers={200: an_object({"type": TEXT, "title": TEXT, "description": TEXT})},
)
def describe(error_type: str) -> dict[str, Any]:
    """Describes a type of error."""
    if error_type not in DESCRIPTIONS:
        raise ResourceUnknown("type of error", error_type)
    address = f"{settings().url}/api/v1/error/{error_type}"
    return {"type": address, "title": error_type, "description": DESCRIPTIONS[error_type]}

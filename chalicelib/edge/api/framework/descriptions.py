"""What the types of errors mean: where the `type` of every error leads."""

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
    """What a type of error means."""
    if error_type not in DESCRIPTIONS:
        raise ResourceUnknown("type of error", error_type)
    place = f"{settings().url}/api/v1/error/{error_type}"
    return {"type": place, "title": error_type, "description": DESCRIPTIONS[error_type]}

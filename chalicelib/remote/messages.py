"""Requests to other hosts and their responses."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.domain.errors import OutgoingFailed

# The default limits of a response: its size in bytes, and the seconds for the whole request.
LARGEST, TIMEOUT_S = 64 * 1024, 3.0


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """A request to send, and its limits: at most `largest` bytes of the response, within `timeout_s` seconds."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    largest: int = LARGEST
    timeout_s: float = TIMEOUT_S


@dataclass(frozen=True, slots=True)
class OutgoingResponse:
    """A response; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""

    def json(self) -> Any:
        """Returns the content as JSON. Raises OutgoingFailed."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            raise OutgoingFailed("the response is not JSON") from None

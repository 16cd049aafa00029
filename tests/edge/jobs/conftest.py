"""What jobs are called with."""

from typing import Any

import pytest


class Context:
    """What Lambda gives beside the event."""

    def __init__(self, left_ms: int) -> None:
        self._left_ms = left_ms

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function is ended."""
        return self._left_ms


@pytest.fixture
def context() -> type[Context]:
    """Makes what Lambda gives beside the event."""
    return Context


@pytest.fixture
def tick() -> dict[str, Any]:
    """What EventBridge sends (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html)."""
    return {
        "version": "0",
        "account": "123456789012",
        "region": "us-east-1",
        "detail": {},
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "time": "2026-11-24T00:00:00Z",
        "id": "a",
        "resources": ["arn:aws:events:us-east-1:123456789012:rule/registry-job"],
    }
